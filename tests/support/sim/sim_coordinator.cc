#include "tests/support/sim/sim_coordinator.h"

#include <algorithm>
#include <map>

namespace lrtune::sim {
namespace {

constexpr std::size_t kEventsPerTurn = 64;
constexpr int kMaxFailedCommits = 3;  // in a row, as coordinator/runtime has it

// An order may come in the turn of the assignment that it makes void.
bool takes_back(const ToWorkerBatch& batch, const wire::Assign& assign) {
  return std::any_of(batch.begin(), batch.end(), [&](const wire::FromCoordinator& message) {
    const auto* cancel = std::get_if<wire::Cancel>(&message);
    return cancel != nullptr && cancel->job == assign.job && cancel->attempt == assign.attempt;
  });
}

}  // namespace

void SimCoordinator::start() {
  require(!up(), "a coordinator that lives is started");
  ++processes_;
  world_.trace.line("coordinator starts, process {}", processes_);
  // The monotonic clock of another boot has nothing to do with the one before.
  steady_offset_ = world_.random.between(Duration(0), Duration(1'000'000'000'000));
  if (!make_core(false)) return;
  world_.network.coordinator_up([this](const PeerId& peer, const ToCoordinatorBatch& batch) {
    for (const wire::ToCoordinator& message : batch) post(event::Received{peer, message});
  });
}

bool SimCoordinator::make_core(bool submit_always) {
  auto stored = world_.store.load();
  if (!stored) {
    die();
    return false;
  }
  world_.acknowledged.check(world_.store);
  CoreOptions options = world_.scenario.core;
  options.incarnation = fmt::format("{}-{}", world_.store.history(), ++cores_);
  core_.emplace(options, std::move(*stored), now());
  core_->check_invariants();
  // Whoever submitted an experiment does so again until it is in the store.
  for (const CampaignId id : {CampaignId{1}, CampaignId{2}}) {
    const auto index = static_cast<std::size_t>(id.value - 1);
    const auto& experiments = world_.scenario.experiments;
    if (index >= experiments.size()) continue;
    const bool known = world_.store.campaign(experiments[index]->hash) != nullptr;
    if (known && world_.scenario.orders) continue;  // that would take back a pause or cancel
    const bool first = index == 0 && !known;
    if (first || (known && (submit_always || world_.random.chance(0.5)))) {
      inbox_.push_back(event::Submitted{*experiments[index]});
    }
  }
  plan_turn(Duration(0));
  planned_tick_.reset();
  plan_tick();
  return true;
}

void SimCoordinator::crash_at(CrashPoint point) {
  if (!up()) return;
  crash_ = point;
  plan_turn(world_.random.between(Duration(0), Duration(500'000)));
}

void SimCoordinator::crash() {
  if (up()) die();
}

void SimCoordinator::suspend(Duration length) {
  if (!up() || world_.loop.now() < stalled_until_) return;
  world_.trace.line("coordinator's machine sleeps for {} us", length.count());
  stalled_until_ = world_.loop.now() + length;
  steady_offset_ -= length;  // nobody asks for the time before it wakes up
}

void SimCoordinator::stall(Duration length) {
  if (!up()) return;
  world_.trace.line("coordinator stalls for {} us", length.count());
  stalled_until_ = std::max(stalled_until_, world_.loop.now() + length);
}

void SimCoordinator::post(Event event) {
  if (!up()) return;
  inbox_.push_back(std::move(event));
  if (!turn_planned_) plan_turn(world_.random.between(Duration(0), Duration(3'000)));
}

Now SimCoordinator::now() const {
  return {SteadyTime(world_.loop.now() + steady_offset_),
          world_.loop.now().count() / 1000 + wall_offset_};
}

void SimCoordinator::plan_turn(Duration delay) {
  turn_planned_ = true;
  world_.loop.after(delay, [this, process = processes_] {
    if (process == processes_ && up()) turn();
  });
}

void SimCoordinator::plan_tick() {
  const std::optional<SteadyTime> deadline = core_->next_deadline();
  if (!deadline || deadline == planned_tick_) return;
  planned_tick_ = deadline;
  const auto delay =
      std::chrono::ceil<Duration>(std::max(*deadline - now().steady, SteadyTime::duration(0)));
  world_.loop.after(delay, [this, process = processes_, deadline] {
    if (process != processes_ || !up() || planned_tick_ != deadline) return;
    planned_tick_.reset();
    tick_due_ = true;
    turn();
  });
}

void SimCoordinator::turn() {
  if (world_.loop.now() < stalled_until_) {
    plan_turn(stalled_until_ - world_.loop.now());
    return;
  }
  turn_planned_ = false;
  actions_ = {};
  for (std::size_t i = 0; i < kEventsPerTurn && !inbox_.empty(); ++i) {
    const Event event = std::move(inbox_.front());
    inbox_.pop_front();
    step(event);
  }
  if (std::exchange(tick_due_, false)) step(event::Ticked{});
  if (dies_at(CrashPoint::kBeforeCommit)) return die();
  if (commit()) {
    if (dies_at(CrashPoint::kBeforeSends)) return die();
    send();
    if (!up()) return;
    if (dies_at(CrashPoint::kAfterSends)) return die();
  }
  if (!up()) return;
  if (!inbox_.empty()) plan_turn(Duration(100));
  plan_tick();
}

void SimCoordinator::step(const Event& event) {
  Actions made = core_->step(event, now());
  core_->check_invariants();
  std::move(made.records.begin(), made.records.end(), std::back_inserter(actions_.records));
  std::move(made.sends.begin(), made.sends.end(), std::back_inserter(actions_.sends));
}

bool SimCoordinator::commit() {
  if (actions_.records.empty()) return true;
  if (!world_.store.commit(actions_.records)) {
    commit_failed();
    return false;
  }
  failed_commits_ = 0;
  return true;
}

// It makes its core anew; after too many failures in a row it ends, and it may be killed first.
void SimCoordinator::commit_failed() {
  world_.trace.line("a commit of {} records fails", actions_.records.size());
  if (++failed_commits_ >= kMaxFailedCommits || world_.random.chance(0.2)) return die();
  core_.reset();
  make_core(true);
}

// All messages for one peer in one turn share a batch.
void SimCoordinator::send() {
  std::vector<PeerId> order;
  std::map<PeerId, ToWorkerBatch> batches;
  for (Send& one : actions_.sends) {
    if (!batches.contains(one.peer)) order.push_back(one.peer);
    batches[one.peer].push_back(std::move(one.message));
  }
  for (const PeerId& peer : order) {
    if (crash_ == CrashPoint::kDuringSends && world_.random.chance(0.5)) return die();
    send_to(peer, batches.at(peer));
  }
  if (dies_at(CrashPoint::kDuringSends)) die();
}

void SimCoordinator::send_to(const PeerId& peer, const ToWorkerBatch& batch) {
  for (const wire::FromCoordinator& message : batch) {
    check_backed(message);
    const auto* assign = std::get_if<wire::Assign>(&message);
    if (assign == nullptr || takes_back(batch, *assign)) continue;
    // A worker that says goodbye in the turn of its assignment has it no more, and is told nothing.
    const JobRecord* job = world_.store.job(assign->job);
    const bool held = job->state == JobState::kAssigned || job->state == JobState::kRunning;
    if (held && job->attempt == assign->attempt) people_.check(peer, *assign);
  }
  if (world_.network.send(peer, batch) || !world_.random.chance(0.5)) return;
  post(event::PeerLost{peer, "nobody is there", true});
}

// What is sent rests on what is committed, not on what the core only means to write.
void SimCoordinator::check_backed(const wire::FromCoordinator& message) const {
  const auto* assign = std::get_if<wire::Assign>(&message);
  if (assign == nullptr) return;
  const JobRecord* job = world_.store.job(assign->job);
  require(job != nullptr && job->attempt >= assign->attempt,
          [&] { return fmt::format("{} is sent before it is committed", describe(message)); });
}

void SimCoordinator::die() {
  world_.trace.line("coordinator ends");
  core_.reset();
  world_.store.process_ended(world_.random.chance(0.5));
  failed_commits_ = 0;
  crash_.reset();
  inbox_.clear();
  actions_ = {};
  turn_planned_ = tick_due_ = false;
  planned_tick_.reset();
  stalled_until_ = Duration(0);
  ++processes_;  // what the dead process planned is void
  world_.network.coordinator_down();
}

}  // namespace lrtune::sim
