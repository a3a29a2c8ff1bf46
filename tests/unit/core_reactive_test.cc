// Reactive policies in the coordinator's core: what a controller applied is held against the state
// that was reached.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/policy/run_rates.h"
#include "common/state_name.h"
#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// One run of 100 iterations whose controller is asked every 10, twice; and an ordinary one.
Experiment reactive_experiment() {
  const std::string reactive =
      "    - {controller: plateau, functions: [{function: exp, k0: 0.3, gamma: 0.99}, {function: "
      "fix, "
      "k0: 0.1}], start: 1, every: 10, metric: loss, window: 2, threshold: 0.1, cooldown: 9}\n";
  return experiment_from_yaml(
             "name: test\n"
             "train: {dataset: {name: mnist}, model: lenet, optimizer: {name: sgd}, batch: 100}\n"
             "run: {iterations: 100, evaluate: {every: 10}}\n"
             "search:\n  method: list\n  policies:\n" +
                 reactive + reactive + "    - {function: fix, k0: 0.1}\n",
             "test.yaml")
      .value();
}

class CoreReactiveTest : public testing::Test {
 protected:
  CoreReactiveTest() {
    harness.step(event::Submitted{reactive_experiment()});
    harness.hello("a");
    harness.answer_survey("a");
  }
  // What the worker says at the end, after a plateau from the start.
  wire::Finished finished(const wire::Assign& job) {
    RunRates rates(job.policy);
    for (std::int64_t t = 0; t < 100; ++t) {
      if (rates.observes(t)) rates.observe(t, 1);
    }
    Outcome outcome{.kind = OutcomeKind::kCompleted, .iteration = 100};
    outcome.realised = rates.applied(100);
    outcome.state =
        state_after(initial_state(job.identity.hash(), job.seed), *outcome.realised, 0, 100);
    return {job.job, job.attempt, 1, outcome};
  }
  JobRecord job_record() { return harness.kept().state().jobs.front(); }
  wire::Assign job() { return harness.assignment("a").value(); }

  CoreHarness harness;
};

TEST_F(CoreReactiveTest, WhatWasAppliedIsKept) {
  const wire::Assign assigned = job();
  ASSERT_TRUE(assigned.policy.reactive());
  EXPECT_EQ(assigned.policy.plateau->length, 100) << "of the run";
  const wire::Finished report = finished(assigned);
  ASSERT_EQ(report.outcome.realised->segments.size(), 2U);
  EXPECT_EQ(report.outcome.realised->segments[1].from_t, 30);
  harness.say("a", report);
  EXPECT_EQ(job_record().state, JobState::kDone);
  EXPECT_EQ(job_record().outcome, report.outcome);
  EXPECT_THAT(harness.kept().codes(1), Contains("realised"));
  EXPECT_EQ(harness.campaign().done, 2) << "the same policy twice is one job";
  EXPECT_FALSE(job().policy.reactive());
}

TEST_F(CoreReactiveTest, AStateThatTheRatesDoNotLeadToFailsTheRun) {
  wire::Finished report = finished(job());
  report.outcome.state = sha256("another");
  harness.say("a", report);
  EXPECT_EQ(job_record().state, JobState::kFailed);
  EXPECT_THAT(job_record().outcome->message, HasSubstr("lead to state"));
  EXPECT_FALSE(job_record().outcome->realised);
}

TEST_F(CoreReactiveTest, RatesThatAreNotTheControllersFailTheRun) {
  const wire::Assign assigned = job();
  wire::Finished report = finished(assigned);
  report.outcome.realised->segments[1].function.gamma = 0.98;
  report.outcome.state = state_after(initial_state(assigned.identity.hash(), assigned.seed),
                                     *report.outcome.realised, 0, 100);
  harness.say("a", report);
  EXPECT_EQ(job_record().state, JobState::kFailed);
  EXPECT_THAT(job_record().outcome->message, HasSubstr("which rates of its functions"));
}

TEST_F(CoreReactiveTest, ASilentWorkerFailsTheRun) {
  wire::Finished report = finished(job());
  report.outcome.realised.reset();
  harness.say("a", report);
  EXPECT_EQ(job_record().state, JobState::kFailed);
}

TEST_F(CoreReactiveTest, AnOrdinaryRunRealisesNothing) {
  harness.say("a", finished(job()));
  const wire::Assign ordinary = job();
  wire::Finished report = harness.finished(ordinary, 1, OutcomeKind::kCompleted);
  report.outcome.realised = ordinary.policy;
  harness.say("a", report);
  const JobRecord record = harness.kept().state().jobs.back();
  EXPECT_EQ(record.state, JobState::kDone);
  EXPECT_FALSE(record.outcome->realised);
}

}  // namespace
}  // namespace lrtune
