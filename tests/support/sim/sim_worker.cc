#include "tests/support/sim/sim_worker.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lrtune::sim {
namespace {

// Longer than any run goes without a word, 20 iterations of half a second.
constexpr std::chrono::milliseconds kWatchdog{30'000};

}  // namespace

SimWorker::SimWorker(World& world, std::string name, int slots, Numerics numerics)
    : world_(world), name_(std::move(name)), slots_(slots), numerics_(std::move(numerics)) {}

void SimWorker::start() {
  require(!alive(), "a worker that lives is started");
  ++processes_;
  peer_ = fmt::format("{}#{}", name_, processes_);
  clock_offset_ = world_.random.between(Duration(0), Duration(1'000'000'000));
  frozen_ = false;
  world_.trace.line("{} starts", peer_);
  WorkerOptions options;
  options.name = name_;
  options.process = peer_;
  options.slots = slots_;
  options.numerics = numerics_;
  options.watchdog = kWatchdog;
  core_.emplace(options, now());
  world_.network.connect(peer_, [this, process = processes_](const ToWorkerBatch& batch) {
    if (process != processes_ || !alive()) return;
    if (frozen_) {
      deferred_.push_back([this, batch] { receive(batch); });
    } else {
      receive(batch);
    }
  });
  step(worker_event::Ticked{});
}

void SimWorker::crash() {
  if (!alive()) return;
  world_.trace.line("{} crashes", peer_);
  core_.reset();
  training_.clear();
  begun_.clear();
  reports_.clear();
  deferred_.clear();
  planned_tick_.reset();
  frozen_ = false;
  world_.network.disconnect(peer_);
}

void SimWorker::leave() {
  if (!alive() || frozen_) return;
  world_.trace.line("{} is asked to leave", peer_);
  step(worker_event::StopRequested{"SIGTERM"});
}

void SimWorker::freeze(Duration length, bool sleeps) {
  if (!alive() || frozen_) return;
  world_.trace.line("{} {} for {} us", peer_, sleeps ? "sleeps" : "is stopped", length.count());
  frozen_ = true;
  sleeps_ = sleeps;
  frozen_at_ = world_.loop.now();
  world_.loop.after(length, [this, process = processes_] {
    if (process == processes_) wake();
  });
}

void SimWorker::wake() {
  if (!alive() || !frozen_) return;
  world_.trace.line("{} wakes up", peer_);
  frozen_ = false;
  if (sleeps_) clock_offset_ -= world_.loop.now() - frozen_at_;
  const int process = processes_;
  for (auto& action : std::exchange(deferred_, {})) {
    if (process != processes_ || !alive()) return;
    action();
  }
}

void SimWorker::hang() {
  if (!alive() || training_.empty()) return;
  auto it = training_.begin();
  std::advance(it, world_.random.below(training_.size()));
  world_.trace.line("{} hangs in job {}", peer_, it->first.first.value);
  it->second.hung = true;
}

void SimWorker::later(Duration delay, std::function<void()> action) {
  world_.loop.after(delay, [this, process = processes_, action = std::move(action)] {
    if (process != processes_ || !alive()) return;
    if (frozen_) {
      deferred_.push_back(action);
    } else {
      action();
    }
  });
}

WorkerTime SimWorker::now() const { return WorkerTime(world_.loop.now() + clock_offset_); }

void SimWorker::step(const WorkerEvent& event) {
  const std::vector<WorkerAction> actions = core_->step(event, now());
  core_->check_invariants();
  carry_out(actions);
  if (alive()) plan_tick();
}

void SimWorker::receive(const ToWorkerBatch& batch) {
  for (const wire::FromCoordinator& message : batch) {
    if (!alive()) return;
    check_message(message);
    step(worker_event::Received{message});
  }
}

// Nothing that a worker sees may be missing from the store.
void SimWorker::check_message(const wire::FromCoordinator& message) const {
  if (const auto* assign = std::get_if<wire::Assign>(&message)) {
    const JobRecord* job = world_.store.job(assign->job);
    const bool was_replaced = world_.scenario.family == Family::kRestores;  // since it was sent
    require(was_replaced || (job != nullptr && job->attempt >= assign->attempt),
            "an assignment arrives that is not in the store");
    require(assign->identity.numerics == numerics_,
            "an assignment arrives at a worker with other numerics");
  } else if (const auto* acknowledge = std::get_if<wire::Acknowledge>(&message)) {
    note_acknowledged(*acknowledge);
  }
}

void SimWorker::note_acknowledged(const wire::Acknowledge& acknowledge) const {
  if (world_.scenario.family == Family::kRestores) return;  // it may be of the store before
  const JobRecord* job = world_.store.job(acknowledge.job);
  require(job != nullptr, "a report of an unknown job is acknowledged");
  // What a poisonous job's last attempt still has to say is acknowledged unrecorded: nobody needs
  // it.
  if (job->state == JobState::kFailed) return;
  for (std::int64_t sequence = 1; sequence <= acknowledge.sequence; ++sequence) {
    const auto it = reports_.find({acknowledge.job, acknowledge.attempt, sequence});
    require(it != reports_.end(), "a report that was never sent is acknowledged");
    world_.acknowledged.add(it->second, world_.store);
  }
}

void SimWorker::carry_out(const std::vector<WorkerAction>& actions) {
  ToCoordinatorBatch batch;
  const auto flush = [&] {
    if (!batch.empty()) world_.network.send(peer_, std::exchange(batch, {}));
  };
  for (const WorkerAction& action : actions) {
    if (const auto* send = std::get_if<worker_action::Send>(&action)) {
      remember(send->message);
      batch.push_back(send->message);
    } else if (const auto* survey = std::get_if<worker_action::StartSurvey>(&action)) {
      start_survey(*survey);
    } else if (const auto* start = std::get_if<worker_action::StartJob>(&action)) {
      start_job(*start);
    } else if (const auto* stop = std::get_if<worker_action::StopJob>(&action)) {
      stop_job(*stop);
    } else if (const auto* exit_now = std::get_if<worker_action::Exit>(&action)) {
      flush();
      exit(*exit_now);
      return;
    }
  }
  flush();
}

void SimWorker::remember(const wire::ToCoordinator& message) {
  const auto keep = [&](const auto& report) {
    const auto key = std::tuple(report.job, report.attempt, report.sequence);
    const auto [it, is_new] = reports_.emplace(key, message);
    require(is_new || it->second == message, "a report sent again is another one");
  };
  if (const auto* measured = std::get_if<wire::Measured>(&message)) keep(*measured);
  if (const auto* finished = std::get_if<wire::Finished>(&message)) keep(*finished);
}

void SimWorker::plan_tick() {
  const std::optional<WorkerTime> deadline = core_->next_deadline();
  if (deadline == planned_tick_) return;
  planned_tick_ = deadline;
  if (!deadline) return;
  const auto delay =
      std::chrono::ceil<Duration>(std::max(*deadline - now(), WorkerTime::duration(0)));
  later(delay, [this, deadline] {
    if (planned_tick_ != deadline) return;  // planned anew since
    planned_tick_.reset();
    step(worker_event::Ticked{});
  });
}

void SimWorker::start_survey(const worker_action::StartSurvey& action) {
  const Duration length = world_.random.between(Duration(1'000), Duration(2'000'000));
  later(length, [this, action] {
    step(worker_event::SurveyDone{action.survey, simulated_facts(action.train)});
  });
}

void SimWorker::start_job(const worker_action::StartJob& action) {
  const wire::Assign& assignment = action.assignment;
  const AttemptKey key{assignment.job, assignment.attempt};
  require(action.slot >= 0 && action.slot < slots_, "a job starts in a slot that is not there");
  require(static_cast<int>(training_.size()) < slots_, "more jobs train than there are slots");
  // Another store gives the same numbers to other work.
  require(begun_.insert(key).second || world_.scenario.family == Family::kRestores,
          "an attempt starts twice in one process");
  Training training;
  training.assignment = assignment;
  training.run =
      simulated_run(assignment.identity, assignment.policy, assignment.seed, assignment.plan);
  const double k0 = first_function(assignment.policy).k0;
  const std::vector<double>& poison = world_.scenario.poison;
  training.poisonous = std::find(poison.begin(), poison.end(), k0) != poison.end();
  training_.emplace(key, std::move(training));
  later(world_.random.between(Duration(100), Duration(200'000)), [this, key] {
    const auto it = training_.find(key);
    if (it == training_.end() || it->second.stopping || it->second.hung) return;
    it->second.started = world_.loop.now();
    step(worker_event::JobStarted{key.first, key.second});
    train_on(key);
  });
}

// Plans the next report of the attempt.
void SimWorker::train_on(AttemptKey key) {
  const auto it = training_.find(key);
  if (!alive() || it == training_.end() || it->second.stopping || it->second.hung) return;
  const Training& training = it->second;
  const auto& points = training.run.points;
  const std::size_t next = training.next_point;
  const std::int64_t from = next == 0 ? 0 : points[next - 1].iteration;
  const std::int64_t to =
      next < points.size() ? points[next].iteration : training.run.outcome.iteration;
  if (training.poisonous && to > training.run.outcome.iteration / 2) {
    later(world_.scenario.iteration_time * (1 + to - from), [this] { crash(); });
    return;
  }
  later(world_.scenario.iteration_time * (to - from), [this, key] { report_point(key); });
}

void SimWorker::report_point(AttemptKey key) {
  const auto it = training_.find(key);
  if (it == training_.end() || it->second.stopping || it->second.hung) return;
  Training& training = it->second;
  if (training.next_point == training.run.points.size()) {
    finish(key, training.run.outcome);
    return;
  }
  const MetricPoint point = training.run.points[training.next_point++];
  step(worker_event::JobProgressed{key.first, key.second, point.iteration});
  if (!alive() || !training_.contains(key)) return;
  step(worker_event::JobMeasured{key.first, key.second, point});
  train_on(key);
}

void SimWorker::stop_job(const worker_action::StopJob& action) {
  const AttemptKey key{action.job, action.attempt};
  const auto it = training_.find(key);
  require(it != training_.end(), "a job that does not train is told to stop");
  if (it->second.stopping) return;
  it->second.stopping = true;
  const Training& training = it->second;
  Outcome outcome{OutcomeKind::kStopped, 0, state_at_start(training.assignment), "asked to stop"};
  if (training.next_point > 0) {
    const MetricPoint& last = training.run.points[training.next_point - 1];
    outcome.iteration = last.iteration;
    outcome.state = last.state;
  }
  later(world_.scenario.iteration_time, [this, key, outcome] {
    const auto stopped = training_.find(key);
    if (stopped == training_.end() || stopped->second.hung) return;
    finish(key, outcome);
  });
}

void SimWorker::finish(AttemptKey key, Outcome outcome) {
  training_.erase(key);
  step(worker_event::JobFinished{key.first, key.second, std::move(outcome)});
}

void SimWorker::exit(const worker_action::Exit& action) {
  world_.trace.line("{} exits with code {}: {}", peer_, action.code, action.reason);
  for (const auto& [key, training] : training_)
    require(training.hung && action.abandons_threads, "a worker exits while it trains");
  crash();
}

}  // namespace lrtune::sim
