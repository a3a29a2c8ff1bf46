#include "tests/support/sim/sim_people.h"

#include <algorithm>
#include <utility>

namespace lrtune::sim {
namespace {

constexpr const char* kPeer = "people";
constexpr Duration kSecond{1'000'000};
// What a broken connection brings late has come by then, so an old copy of a question never follows
// a newer one.
constexpr Duration kPause{5'000'000};

bool is_of_campaign(wire::OrderKind kind) { return kind <= wire::OrderKind::kCancel; }

}  // namespace

void SimPeople::start() {
  world_.network.connect(kPeer, [this](const ToWorkerBatch& batch) {
    for (const wire::FromCoordinator& message : batch) {
      if (const auto* answer = std::get_if<wire::Answer>(&message)) on_answer(*answer);
    }
  });
  plan_next();
}

void SimPeople::cancel(const Digest& hash) { to_cancel_ = hash; }

void SimPeople::extend(wire::Extend extension) {
  extension_ = std::move(extension);
  if (!question_) plan_next();
}

void SimPeople::settle() { settling_ = true; }

bool SimPeople::settled() const {
  return settling_ && !question_ && touched_.empty() && !extension_ && !to_cancel_;
}

void SimPeople::check(const PeerId& peer, const wire::Assign& assign) {
  // One that was sent before the order and may be lost is sent again: the worker may have begun it.
  if (!sent_.emplace(peer, assign.job, assign.attempt).second) return;
  const std::string worker = peer.substr(0, peer.find('#'));
  require(!sent_away_.contains(worker), [&] {
    return fmt::format("{} gets {} although it was sent away", worker, describe(assign));
  });
  if (paused_.empty()) return;
  const auto& trials = world_.store.trials();
  const bool needed = std::any_of(trials.begin(), trials.end(), [&](const auto& entry) {
    const TrialRecord& trial = entry.second;
    return world_.store.leads_through(trial, assign.job) && trial.state <= TrialState::kRunning &&
           !paused_.contains(trial.campaign);
  });
  require(needed, [&] {
    return fmt::format("job {} is assigned and only paused campaigns need it", assign.job.value);
  });
}

void SimPeople::plan_next() {
  if (std::exchange(planned_, true)) return;
  const Duration most = settling_ ? kPause : 4 * kPause;
  world_.loop.after(world_.random.between(kPause, most), [this] { give_next(); });
}

void SimPeople::give_next() {
  planned_ = false;
  question_ = next();
  if (question_) return ask();
  if (!settling_ || to_cancel_) plan_next();
}

// One that was not there a moment ago may be there later, so a cancelling waits for its campaign.
std::optional<wire::ToCoordinator> SimPeople::cancelling() const {
  if (!to_cancel_) return std::nullopt;
  const CampaignRecord* campaign = world_.store.campaign(*to_cancel_);
  if (campaign == nullptr) return std::nullopt;
  return order(wire::OrderKind::kCancel, std::to_string(campaign->id.value));
}

std::optional<wire::ToCoordinator> SimPeople::next() {
  ++request_;
  if (auto cancel = cancelling(); cancel && (settling_ || world_.random.chance(0.3))) return cancel;
  if (!settling_) return any_order();
  if (!touched_.empty()) {
    const std::string& target = *touched_.begin();
    const bool worker = std::find(workers_.begin(), workers_.end(), target) != workers_.end();
    return order(worker ? wire::OrderKind::kAdmit : wire::OrderKind::kResume, target);
  }
  if (!extension_) return std::nullopt;
  extension_->request = request_;
  return *extension_;
}

wire::ToCoordinator SimPeople::any_order() {
  static constexpr wire::OrderKind kOfWorker[] = {wire::OrderKind::kDrain, wire::OrderKind::kBan,
                                                  wire::OrderKind::kAdmit, wire::OrderKind::kAdmit};
  if (world_.random.chance(0.5)) {
    const bool pause = world_.random.chance(0.5);
    return order(pause ? wire::OrderKind::kPause : wire::OrderKind::kResume, any_campaign());
  }
  return order(kOfWorker[world_.random.below(std::size(kOfWorker))],
               workers_[world_.random.below(workers_.size())]);
}

wire::ToCoordinator SimPeople::order(wire::OrderKind kind, const std::string& target) const {
  return wire::Order{.request = request_, .kind = kind, .target = target, .reason = "simulated"};
}

std::string SimPeople::any_campaign() {
  return std::to_string(1 + world_.random.below(world_.scenario.experiments.size()));
}

void SimPeople::ask() {
  if (const auto* order = std::get_if<wire::Order>(&*question_)) note_asked(*order);
  asked_at_ = world_.loop.now();
  world_.network.send(kPeer, ToCoordinatorBatch{*question_});
  ask_again();
}

void SimPeople::ask_again() {
  world_.loop.after(2 * kSecond, [this, request = request_, asked_at = asked_at_] {
    if (!question_ || request != request_ || asked_at != asked_at_) return;
    ask();
  });
}

// What takes an order back ends its promise as soon as it may arrive.
void SimPeople::note_asked(const wire::Order& order) {
  if (is_of_campaign(order.kind)) {
    if (order.kind == wire::OrderKind::kResume) paused_.erase(CampaignId{std::stoll(order.target)});
    if (order.kind == wire::OrderKind::kPause) touched_.insert(order.target);
  } else if (order.kind == wire::OrderKind::kAdmit) {
    sent_away_.erase(order.target);
  } else {
    touched_.insert(order.target);
  }
}

void SimPeople::on_answer(const wire::Answer& answer) {
  if (!question_ || answer.request != request_) return;
  const wire::ToCoordinator question = *std::exchange(question_, std::nullopt);
  if (const auto* order = std::get_if<wire::Order>(&question)) {
    const bool takes_back =
        order->kind == wire::OrderKind::kResume || order->kind == wire::OrderKind::kAdmit;
    if (takes_back) touched_.erase(order->target);
    if (order->kind == wire::OrderKind::kCancel) to_cancel_.reset();
    if (answer.error.empty()) note_done(*order);
  } else {
    require(answer.error.empty(), "an extension is refused: " + answer.error);
    extension_.reset();
    extended_ = true;
  }
  plan_next();
}

// What was answered is on disk.
void SimPeople::note_done(const wire::Order& order) {
  if (is_of_campaign(order.kind)) {
    const CampaignId id{std::stoll(order.target)};
    const CampaignRecord& campaign = world_.store.campaigns().at(id);
    if (order.kind == wire::OrderKind::kCancel) {
      require(campaign.state == CampaignState::kCancelled, "a cancelled campaign is in the store");
      return;
    }
    const bool pauses = order.kind == wire::OrderKind::kPause;
    if (campaign.state >= CampaignState::kDone) return;
    require(campaign.paused == pauses, "a pause that was answered is in the store");
    if (pauses) paused_.insert(id);
    return;
  }
  const WorkerOrderRecord* stored = world_.store.worker_order(order.target);
  const bool admits = order.kind == wire::OrderKind::kAdmit;
  require((stored == nullptr) == admits, "an order about a worker that was answered is stored");
  if (!admits) sent_away_.insert(order.target);
}

}  // namespace lrtune::sim
