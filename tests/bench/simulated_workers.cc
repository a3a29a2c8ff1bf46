#include "tests/bench/simulated_workers.h"

#include <fmt/format.h>

#include <utility>

#include "common/state_name.h"

namespace lrtune::bench {
namespace {

const Numerics kNumerics{
    .backend = "empty 1", .device = "cpu", .instruction_set = "DEFAULT", .threads = 1};

DataFacts facts() {
  return {.fingerprint = sha256("nothing"),
          .train_samples = 50'000,
          .validation_samples = 5'000,
          .test_samples = 10'000,
          .classes = 10};
}

}  // namespace

SimulatedWorkers::SimulatedWorkers(const Options& options, Clock::time_point now)
    : options_(options),
      workers_(static_cast<std::size_t>(options.count)),
      random_(static_cast<std::uint64_t>(options.first)) {
  for (int worker = 0; worker < options.count; ++worker)
    plan(now + options.arrival * worker / options.count, worker, Kind::kHello);
}

std::string SimulatedWorkers::name_of(int worker) const {
  return fmt::format("w{}", options_.first + worker);
}

Clock::time_point SimulatedWorkers::next_due() const {
  return due_.empty() ? Clock::time_point::max() : due_.top().at;
}

int SimulatedWorkers::say_due(Clock::time_point now, int most, const Say& say) {
  int said = 0;
  for (; said < most && next_due() <= now; ++said) {
    const Due due = due_.top();
    due_.pop();
    say_one(due, say);
  }
  return said;
}

void SimulatedWorkers::say_one(const Due& due, const Say& say) {
  Worker& worker = workers_[static_cast<std::size_t>(due.worker)];
  if (worker.left) return;
  switch (due.kind) {
    case Kind::kHello: {
      wire::Hello hello{name_of(due.worker), "process " + name_of(due.worker), 1, kNumerics, {}};
      if (worker.job) hello.held.push_back({worker.job->job, worker.job->attempt});
      return say(due.worker, std::move(hello));
    }
    case Kind::kHeartbeat:
      plan(due.at + heartbeat_, due.worker, Kind::kHeartbeat);
      return say(due.worker, wire::Heartbeat{});
    case Kind::kSurveyed:
      return say(due.worker, wire::Surveyed{worker.survey, facts(), {}});
    case Kind::kStarted:
      if (worker.job) say(due.worker, wire::Started{worker.job->job, worker.job->attempt});
      return;
    case Kind::kFinished:
      if (!worker.job) return;
      say_reports(due.worker, say);
      worker.job.reset();
      worker.free_since = due.at;
      return begin_next(due.worker, due.at);
    case Kind::kGoodbye:
      worker.left = true;
      ++left_;
      return say(due.worker, wire::Goodbye{});
  }
}

void SimulatedWorkers::say_reports(int number, const Say& say) {
  const wire::Assign& job = *workers_[static_cast<std::size_t>(number)].job;
  if (!(job.identity == identity_)) {
    identity_ = job.identity;
    hash_ = identity_.hash();
  }
  const Digest from = initial_state(hash_, job.seed);
  const Digest to = state_after(from, job.policy, 0, job.plan.iterations);
  MetricPoint point;
  point.state = from;
  say(number, wire::Measured{job.job, job.attempt, 1, point});
  point.iteration = job.plan.iterations;
  point.state = to;
  point.evaluated.top1 = std::uniform_real_distribution<>(0.1, 0.9)(random_);
  say(number, wire::Measured{job.job, job.attempt, 2, point});
  Outcome outcome;
  outcome.iteration = job.plan.iterations;
  outcome.state = to;
  say(number, wire::Finished{job.job, job.attempt, 3, std::move(outcome)});
}

void SimulatedWorkers::begin_next(int number, Clock::time_point now) {
  Worker& worker = workers_[static_cast<std::size_t>(number)];
  if (worker.job || worker.ahead.empty()) return;
  worker.job = std::move(worker.ahead.front());
  worker.ahead.pop();
  if (worker.free_since)
    waits_.push_back(std::chrono::duration<double>(now - *worker.free_since).count());
  worker.free_since.reset();
  const double factor = std::uniform_real_distribution<>(0.5, 1.5)(random_);
  plan(now, number, Kind::kStarted);
  plan(now + std::chrono::duration_cast<Clock::duration>(options_.trial * factor), number,
       Kind::kFinished);
}

void SimulatedWorkers::hear(int number, const wire::FromCoordinator& message,
                            Clock::time_point now) {
  Worker& worker = workers_[static_cast<std::size_t>(number)];
  if (const auto* welcome = std::get_if<wire::Welcome>(&message)) {
    heartbeat_ = std::chrono::milliseconds(welcome->heartbeat_ms);
    if (!std::exchange(worker.welcomed, true)) plan(now + heartbeat_, number, Kind::kHeartbeat);
  } else if (std::holds_alternative<wire::Introduce>(message)) {
    plan(now, number, Kind::kHello);
  } else if (std::holds_alternative<wire::Rejected>(message)) {
    ++rejected_;
    plan(now, number, Kind::kGoodbye);
  } else if (const auto* survey = std::get_if<wire::Survey>(&message)) {
    worker.survey = survey->survey;
    plan(now, number, Kind::kSurveyed);
  } else if (const auto* assign = std::get_if<wire::Assign>(&message)) {
    const bool held = worker.job && worker.job->job == assign->job;
    if (held) return;  // sent again
    worker.ahead.push(*assign);
    begin_next(number, now);
  } else if (std::holds_alternative<wire::Shutdown>(message)) {
    if (!worker.left) plan(now, number, Kind::kGoodbye);
  }
}

}  // namespace lrtune::bench
