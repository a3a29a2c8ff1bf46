// People at a terminal: one client that pauses and resumes campaigns, drains, bans and admits
// workers, cancels and extends. It asks again until it is answered, and gives one order at a time.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/sim/sim_worker.h"

namespace lrtune::sim {

class SimPeople {
 public:
  // `workers`: the names that orders go to.
  SimPeople(World& world, std::vector<std::string> workers)
      : world_(world), workers_(std::move(workers)) {}

  void start();                         // order this and that from now on, as the scenario wants
  void cancel(const Digest& hash);      // the campaign of that experiment, once it is there
  void extend(wire::Extend extension);  // after what is under way
  void settle();                        // nothing new; everything that was ordered is taken back
  bool settled() const;                 // ... and answered
  bool extended() const { return extended_; }

  // Throws Violation if an assignment to `peer` breaks an order that was answered.
  void check(const PeerId& peer, const wire::Assign& assign);

 private:
  void plan_next();
  void give_next();
  std::optional<wire::ToCoordinator> next();
  wire::ToCoordinator any_order();
  std::optional<wire::ToCoordinator> cancelling() const;
  wire::ToCoordinator order(wire::OrderKind kind, const std::string& target) const;
  void ask();
  void ask_again();
  void on_answer(const wire::Answer& answer);
  void note_done(const wire::Order& order);
  void note_asked(const wire::Order& order);
  std::string any_campaign();

  World& world_;
  std::vector<std::string> workers_;
  bool planned_ = false;  // the next question
  bool settling_ = false;
  bool extended_ = false;
  std::optional<Digest> to_cancel_;
  std::optional<wire::Extend> extension_;
  std::optional<wire::ToCoordinator> question_;  // that waits for its answer
  std::int64_t request_ = 0;                     // its number
  Duration asked_at_{0};
  std::set<std::string> touched_;  // targets whose order may have to be taken back
  // Answered, and not yet asked to be taken back.
  std::set<CampaignId> paused_;
  std::set<std::string> sent_away_;  // workers drained or banned
  std::set<std::tuple<PeerId, JobId, Attempt>> sent_;
};

}  // namespace lrtune::sim
