// Drives a coordinator core by hand: time is a number of milliseconds, workers are names, messages
// are calls.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/config/experiment.h"
#include "common/state_name.h"
#include "coordinator/core/core.h"

namespace lrtune {

// `extra`: more keys of the experiment; `train`: more lines of its training specification.
inline Experiment experiment_of(const std::string& search, const std::string& extra = "",
                                const std::string& train = "") {
  const std::string yaml =
      "name: test\n"
      "train:\n"
      "  dataset: {name: mnist}\n"
      "  model: lenet\n"
      "  optimizer: {name: momentum, momentum: 0.9}\n"
      "  batch: 100\n" +
      train +
      "run: {iterations: 100, evaluate: {every: 50}}\n"
      "seed: 7\n" +
      search + extra;
  return experiment_from_yaml(yaml, "test.yaml").value();
}

inline Experiment two_policies(const std::string& extra = "", const std::string& train = "") {
  return experiment_of(
      "search:\n"
      "  method: list\n"
      "  policies:\n"
      "    - {function: fix, k0: 0.1}\n"
      "    - {function: fix, k0: 0.01}\n",
      extra, train);
}

// The records of every step, kept as a store would keep them.
struct KeptRecords {
  std::vector<Record> all;
  StoredState state() const;

  template <typename T>
  std::vector<T> of() const {
    std::vector<T> found;
    for (const Record& record : all) {
      if (const T* one = std::get_if<T>(&record)) found.push_back(*one);
    }
    return found;
  }
  std::vector<RankingRecord> rankings() const;  // the newest of each phase, by (phase, rank)
  // Codes of the decisions about `trial`, in order.
  std::vector<std::string> codes(std::int64_t trial) const;
};

class CoreHarness {
 public:
  explicit CoreHarness(std::optional<Digest> only = std::nullopt) : only_(only) { restart(); }

  // A new core from what was kept, as after a crash.
  void restart();

  Actions step(const Event& event);
  void advance(std::int64_t milliseconds);  // in ticks of one heartbeat
  void stall(std::int64_t milliseconds);    // one tick after all of it

  void hello(const std::string& worker, std::vector<wire::HeldAttempt> held = {}, int slots = 1);
  void say(const std::string& worker, wire::ToCoordinator message);

  // Answers the worker's pending survey with 1000 training samples.
  void answer_survey(const std::string& worker);
  // All assignments that were sent to the worker since the last restart, oldest first.
  std::vector<wire::Assign> assignments(const std::string& worker) const;
  // Newest assignment that was sent to the worker, if any.
  std::optional<wire::Assign> assignment(const std::string& worker) const;
  // Runs the assignment to its end: a point at 0 and at the end, then `kind`.
  void run(const std::string& worker, const wire::Assign& job, double top1,
           OutcomeKind kind = OutcomeKind::kCompleted);
  wire::Measured measured(const wire::Assign& job, std::int64_t sequence, std::int64_t iteration,
                          double top1) const;
  wire::Finished finished(const wire::Assign& job, std::int64_t sequence, OutcomeKind kind) const;

  // Messages of type T that the last step sent to the worker.
  template <typename T>
  std::vector<T> sent(const std::string& worker) const {
    std::vector<T> found;
    for (const Send& send : last_.sends) {
      if (send.peer != worker) continue;
      if (const T* one = std::get_if<T>(&send.message)) found.push_back(*one);
    }
    return found;
  }

  const Actions& last() const { return last_; }  // of the last step
  const KeptRecords& kept() const { return kept_; }
  Core& core() { return *core_; }
  CampaignView campaign() const { return core_->snapshot().campaigns.at(0); }
  static Numerics numerics();

 private:
  std::optional<Digest> only_;
  std::optional<Core> core_;
  KeptRecords kept_;
  Actions last_;
  std::vector<Send> sends_;
  std::int64_t now_ms_ = 1'000'000;
  Now now() const;
};

}  // namespace lrtune
