// A WorkerCore in virtual time, fed by hand; what it does comes back as short words.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/wire_samples.h"
#include "worker/core/worker_core.h"

namespace lrtune::testing {

inline constexpr const char* kIncarnation = "store-first";

inline MetricPoint point_at(std::int64_t iteration) {
  MetricPoint point;
  point.iteration = iteration;
  return point;
}

inline wire::Assign assignment(std::int64_t job, Attempt attempt) {
  wire::Assign assign = wire::testing::sample_assign();
  assign.job.value = job;
  assign.attempt = attempt;
  return assign;
}

class WorkerCoreTest : public ::testing::Test {
 protected:
  void make(int slots = 1) {
    WorkerOptions options = options_;
    options.name = "w";
    options.process = "p";
    options.slots = slots;
    options.numerics = assignment(1, 1).identity.numerics;
    core_.emplace(options, now_);
  }

  void join(int slots = 1) {
    make(slots);
    tick();
    receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
    drop();
  }

  void step(const WorkerEvent& event) {
    for (WorkerAction& action : core_->step(event, now_)) actions_.push_back(std::move(action));
    core_->check_invariants();
  }
  void receive(wire::FromCoordinator message) { step(worker_event::Received{std::move(message)}); }
  void tick() { step(worker_event::Ticked{}); }
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    tick();
  }
  void started(std::int64_t job, Attempt attempt) {
    step(worker_event::JobStarted{JobId{job}, attempt});
  }
  void measured(std::int64_t job, Attempt attempt, std::int64_t iteration) {
    step(worker_event::JobMeasured{JobId{job}, attempt, point_at(iteration)});
  }
  void finished(std::int64_t job, Attempt attempt, OutcomeKind kind = OutcomeKind::kCompleted) {
    step(worker_event::JobFinished{JobId{job}, attempt, Outcome{kind, 10, {}, ""}});
  }
  void acknowledge(std::int64_t job, Attempt attempt, std::int64_t sequence) {
    receive(wire::Acknowledge{JobId{job}, attempt, sequence});
  }

  // The actions so far in short words, and then none.
  std::vector<std::string> take() {
    std::vector<std::string> words;
    for (const WorkerAction& action : std::exchange(actions_, {}))
      words.push_back(words_of(action));
    return words;
  }
  void drop() { actions_.clear(); }

  static std::string attempt_words(JobId job, Attempt attempt) {
    return " " + std::to_string(job.value) + "." + std::to_string(attempt);
  }

  static std::string words_of(const wire::ToCoordinator& message) {
    using namespace wire;
    if (const auto* m = std::get_if<Hello>(&message)) {
      std::string words = "hello";
      for (const HeldAttempt& held : m->held) words += attempt_words(held.job, held.attempt);
      return words;
    }
    if (std::holds_alternative<Heartbeat>(message)) return "heartbeat";
    if (std::holds_alternative<Goodbye>(message)) return "goodbye";
    if (const auto* m = std::get_if<Surveyed>(&message)) return "surveyed " + m->error;
    if (const auto* m = std::get_if<Started>(&message))
      return "started" + attempt_words(m->job, m->attempt);
    if (const auto* m = std::get_if<Progress>(&message)) {
      return "progress" + attempt_words(m->job, m->attempt) + " at " + std::to_string(m->iteration);
    }
    if (const auto* m = std::get_if<Measured>(&message)) {
      return "measured" + attempt_words(m->job, m->attempt) + " #" + std::to_string(m->sequence);
    }
    if (const auto* m = std::get_if<Finished>(&message)) {
      return "finished" + attempt_words(m->job, m->attempt) + " #" + std::to_string(m->sequence) +
             " " + std::string(name_of(m->outcome.kind));
    }
    const auto& refused = std::get<Refused>(message);
    return "refused" + attempt_words(refused.job, refused.attempt) + " " + refused.reason;
  }

  static std::string words_of(const WorkerAction& action) {
    using namespace worker_action;
    if (const auto* a = std::get_if<Send>(&action)) return words_of(a->message);
    if (const auto* a = std::get_if<StartSurvey>(&action))
      return "survey " + std::to_string(a->survey);
    if (const auto* a = std::get_if<StartJob>(&action)) {
      return "start" + attempt_words(a->assignment.job, a->assignment.attempt) + " in " +
             std::to_string(a->slot);
    }
    if (const auto* a = std::get_if<StopJob>(&action))
      return "stop" + attempt_words(a->job, a->attempt);
    const auto& exit = std::get<Exit>(action);
    return "exit " + std::to_string(exit.code) + ": " + exit.reason;
  }

  WorkerTime now_{};
  WorkerOptions options_;  // for make()
  std::optional<WorkerCore> core_;
  std::vector<WorkerAction> actions_;
};

}  // namespace lrtune::testing
