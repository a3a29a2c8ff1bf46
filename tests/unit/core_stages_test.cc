// Stage sharing in the coordinator's core: runs that begin alike train their beginning once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "coordinator/core/decisions.h"
#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// Three runs of 100 iterations; the first two share 50.
Experiment two_alike(const std::string& extra = "") {
  return experiment_of(
      "search:\n"
      "  method: list\n"
      "  policies:\n"
      "    - segments: [{until: 50, function: fix, k0: 0.1}, {function: fix, k0: 0.01}]\n"
      "    - segments: [{until: 50, function: fix, k0: 0.1}, {function: fix, k0: 0.02}]\n"
      "    - {function: fix, k0: 0.3}\n",
      extra);
}

class CoreStagesTest : public testing::Test {
 protected:
  void begin(const Experiment& experiment) {
    harness.step(event::Submitted{experiment});
    harness.hello("a", {}, 4);
    harness.answer_survey("a");
  }
  // The newest assignment of each job.
  std::map<std::int64_t, wire::Assign> assigned() {
    std::map<std::int64_t, wire::Assign> jobs;
    for (const wire::Assign& one : harness.assignments("a")) jobs[one.job.value] = one;
    return jobs;
  }
  wire::Assign assigned_with(std::int64_t iterations, double last_rate) {
    for (const auto& [job, one] : assigned()) {
      const bool leads = learning_rate(one.policy, iterations - 1) == last_rate;
      if (one.plan.iterations == iterations && leads) return one;
    }
    ADD_FAILURE() << "no assignment of " << iterations << " iterations ends with " << last_rate;
    return {};
  }
  std::map<std::int64_t, TrialState> trials() {
    std::map<std::int64_t, TrialState> states;
    for (const TrialRecord& trial : harness.kept().of<TrialRecord>())
      states[trial.id.value] = trial.state;
    return states;
  }

  CoreHarness harness;
};

TEST_F(CoreStagesTest, BeginningIsAssignedOnceAndTheRunsWaitForIt) {
  begin(two_alike());
  EXPECT_THAT(assigned(), SizeIs(2));  // the stage and the third run
  const wire::Assign stage = assigned_with(50, 0.1);
  assigned_with(100, 0.3);
  EXPECT_EQ(harness.campaign().iterations_asked, 300);
  EXPECT_EQ(harness.campaign().iterations_total, 250);
  harness.run("a", stage, 0.5);
  assigned_with(100, 0.01);
  assigned_with(100, 0.02);
  EXPECT_EQ(harness.campaign().iterations_done, 50);
}

TEST_F(CoreStagesTest, EndsWithTheSameRankingAsWithoutSharing) {
  begin(two_alike());
  harness.run("a", assigned_with(50, 0.1), 0.5);
  harness.run("a", assigned_with(100, 0.01), 0.9);
  harness.run("a", assigned_with(100, 0.02), 0.8);
  harness.run("a", assigned_with(100, 0.3), 0.7);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  std::vector<std::int64_t> order;
  for (const RankingRecord& row : harness.kept().of<RankingRecord>())
    order.push_back(row.trial.value);
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_EQ(harness.campaign().iterations_done, 250);
}

TEST_F(CoreStagesTest, DivergenceOfTheBeginningIsThatOfEachRun) {
  begin(two_alike());
  harness.run("a", assigned_with(50, 0.1), 0.1, OutcomeKind::kDiverged);
  EXPECT_EQ(trials()[1], TrialState::kDiverged);
  EXPECT_EQ(trials()[2], TrialState::kDiverged);
  EXPECT_NE(trials()[3], TrialState::kDiverged);
  // Each has the points that it would have had alone.
  const StoredState state = harness.kept().state();
  for (const std::size_t trial : {0u, 1u}) {
    const JobId job = state.trials.at(trial).job;
    const auto is_its = [&](const PointRecord& point) { return point.job == job; };
    EXPECT_GE(std::count_if(state.points.begin(), state.points.end(), is_its), 1);
  }
}

TEST_F(CoreStagesTest, FailureOfTheBeginningSaysSo) {
  begin(two_alike());
  harness.run("a", assigned_with(50, 0.1), 0.1, OutcomeKind::kFailed);
  EXPECT_EQ(trials()[2], TrialState::kFailed);
  std::vector<std::string> sentences;
  for (const DecisionRecord& decision : harness.kept().of<DecisionRecord>()) {
    if (decision.trial.value == 2) sentences.push_back(sentence(decision));
  }
  EXPECT_THAT(sentences, Contains(HasSubstr("the beginning that it shares with others failed")));
}

TEST_F(CoreStagesTest, WhatATrialTrainedItselfIsTold) {
  begin(two_alike());
  harness.run("a", assigned_with(50, 0.1), 0.5);
  harness.run("a", harness.assignment("a").value(), 0.6);
  const auto decisions = harness.kept().of<DecisionRecord>();
  const auto told = std::ranges::find_if(decisions, [](const DecisionRecord& decision) {
    return decision.code == "completed" && decision.numbers.json().contains("from");
  });
  ASSERT_NE(told, decisions.end());
  EXPECT_THAT(sentence(*told), HasSubstr("iterations (the first 50 shared with others) in"));
}

TEST_F(CoreStagesTest, RestartGoesOnFromWhatIsKept) {
  begin(two_alike());
  harness.run("a", assigned_with(50, 0.1), 0.5);
  harness.restart();
  harness.step(event::Submitted{two_alike()});
  EXPECT_EQ(harness.campaign().iterations_total, 250);
  EXPECT_EQ(harness.campaign().iterations_done, 50);
  harness.core().check_invariants();
}

TEST_F(CoreStagesTest, LongerRunGoesOnFromTheEndOfTheShorterOne) {
  const std::string search =
      "search:\n  method: list\n  policies:\n    - {function: fix, k0: 0.1}\n";
  begin(experiment_of(search));
  harness.run("a", *harness.assignment("a"), 0.5);
  ASSERT_EQ(harness.campaign().state, CampaignState::kDone);
  wire::Extend longer;
  longer.request = 1;
  longer.campaign = "test";
  longer.iterations = 300;
  harness.step(event::Received{"client", longer});
  harness.answer_survey("a");
  const StoredState state = harness.kept().state();
  ASSERT_THAT(state.jobs, SizeIs(2));
  EXPECT_EQ(state.jobs[1].after, state.jobs[0].id);
  EXPECT_EQ(state.jobs[1].from_iteration, 100);
  EXPECT_EQ(state.jobs[1].iterations, 300);
  harness.core().check_invariants();
}

TEST_F(CoreStagesTest, CancelledCampaignLeavesAStageThatAnotherNeeds) {
  begin(two_alike());
  const Experiment other = experiment_of(
      "search:\n"
      "  method: list\n"
      "  policies:\n"
      "    - segments: [{until: 50, function: fix, k0: 0.1}, {function: fix, k0: 0.03}]\n",
      "", "");
  harness.step(event::Submitted{other});
  harness.answer_survey("a");
  harness.core().check_invariants();
  const JobId stage = assigned_with(50, 0.1).job;
  wire::Order cancel;
  cancel.request = 1;
  cancel.kind = wire::OrderKind::kCancel;
  cancel.target = "1";
  harness.step(event::Received{"client", cancel});
  harness.core().check_invariants();
  for (const wire::Cancel& sent : harness.sent<wire::Cancel>("a")) EXPECT_NE(sent.job, stage);
  EXPECT_EQ(harness.kept().state().jobs.at(static_cast<std::size_t>(stage.value) - 1).state,
            JobState::kAssigned);
}

// Regression: a run that came back with points, and then waited for a beginning that it shares, had
// those points recorded again when the beginning ended early.
TEST_F(CoreStagesTest, ARunThatWasBegunAloneHasEachPointOnce) {
  begin(experiment_of(
      "search:\n"
      "  method: list\n"
      "  policies:\n"
      "    - segments: [{until: 50, function: fix, k0: 0.1}, {function: fix, k0: 0.01}]\n"));
  const wire::Assign alone = assigned_with(100, 0.01);
  harness.say("a", wire::Started{alone.job, alone.attempt});
  harness.say("a", harness.measured(alone, 1, 0, 0.1));
  wire::Order pause;
  pause.request = 1;
  pause.kind = wire::OrderKind::kPause;
  pause.target = "1";
  harness.step(event::Received{"client", pause});
  harness.say("a", harness.finished(alone, 2, OutcomeKind::kStopped));
  harness.step(event::Submitted{two_alike()});
  harness.answer_survey("a");
  harness.run("a", assigned_with(50, 0.1), 0.1, OutcomeKind::kDiverged);
  std::map<std::int64_t, int> points;  // of the run's one attempt, by iteration
  for (const PointRecord& point : harness.kept().of<PointRecord>()) {
    if (point.job == alone.job) ++points[point.point.iteration];
  }
  EXPECT_THAT(points, ElementsAre(std::pair(0, 1), std::pair(50, 1)));
  EXPECT_EQ(trials()[1], TrialState::kDiverged);
  harness.core().check_invariants();
}

}  // namespace
}  // namespace lrtune
