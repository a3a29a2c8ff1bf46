// Searches that decide by results in the coordinator's core.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "coordinator/core/campaign_replay.h"
#include "coordinator/core/decisions.h"
#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Rungs at 20 and 100 iterations: 60 lies too near to 100.
Experiment searching(const std::string& method, int count, const std::string& extra = "") {
  return experiment_of("search:\n  method: " + method + "\n  count: " + std::to_string(count) +
                           (method == "tpe" ? "\n  startup: 2" : "\n  first_rung: 20") +
                           "\n  policies: [{function: fix, k0: {log: [0.001, 1]}}]\n",
                       extra);
}

class CoreSearchTest : public testing::Test {
 protected:
  void begin(const Experiment& experiment, int slots) {
    harness.step(event::Submitted{experiment});
    harness.hello("a", {}, slots);
    harness.answer_survey("a");
  }
  // Assignments that have not ended, oldest first.
  std::vector<wire::Assign> open() {
    std::vector<wire::Assign> assigned;
    for (const wire::Assign& one : harness.assignments("a")) {
      if (!ended.contains(one.job)) assigned.push_back(one);
    }
    return assigned;
  }
  std::vector<std::int64_t> open_lengths() {
    std::vector<std::int64_t> lengths;
    for (const wire::Assign& one : open()) lengths.push_back(one.plan.iterations);
    return lengths;
  }
  // Ends the oldest open run.
  void end_first(double top1, OutcomeKind kind = OutcomeKind::kCompleted) {
    const auto assigned = open();
    ASSERT_THAT(assigned, Not(IsEmpty()));
    ended.insert(assigned.front().job);
    harness.run("a", assigned.front(), top1, kind);
    harness.core().check_invariants();
  }
  void extend(const wire::Extend& by) {
    harness.say("client", by);
    harness.answer_survey("a");
  }
  std::vector<std::string> search_codes() {
    std::vector<std::string> codes;
    for (const DecisionRecord& one : harness.kept().of<DecisionRecord>()) {
      if (one.code == "proposed" || one.code == "promoted" || one.code == "observed")
        codes.push_back(one.code);
    }
    return codes;
  }
  CampaignHistory history() {
    const StoredState stored = harness.kept().state();
    CampaignHistory history{.campaign = stored.campaigns.front(),
                            .identities = stored.identities,
                            .candidates = {},
                            .repeats = {},
                            .log = stored.search_log,
                            .points = stored.points,
                            .outcomes = {},
                            .rankings = harness.kept().rankings()};
    for (const TrialRecord& trial : stored.trials) {
      if (trial.phase == TrialPhase::kSearch) history.candidates.push_back(trial);
      if (trial.phase == TrialPhase::kVerify) history.repeats.push_back(trial);
    }
    for (const JobRecord& job : stored.jobs) {
      if (job.outcome) history.outcomes.emplace(job.id, job.outcome->kind);
    }
    std::ranges::sort(history.points, {}, [](const PointRecord& record) {
      return std::pair(record.job, record.point.iteration);
    });
    return history;
  }
  std::string replayed() {
    const auto again = replay_campaign(history());
    return again ? again->difference : again.error().message;
  }

  CoreHarness harness;
  std::set<JobId> ended;
};

TEST_F(CoreSearchTest, OnlyFreeSlotsAreAskedFor) {
  begin(searching("asha", 9), 2);
  EXPECT_THAT(open_lengths(), ElementsAre(20, 20));
  EXPECT_THAT(search_codes(), ElementsAre("proposed", "proposed"));
  end_first(0.5);
  EXPECT_THAT(open_lengths(), ElementsAre(20, 20));
  EXPECT_THAT(search_codes(), ElementsAre("proposed", "proposed", "observed", "proposed"));
}

TEST_F(CoreSearchTest, HalvingPromotesTheBestFromItsCheckpoint) {
  begin(searching("halving", 3), 1);
  end_first(0.5);
  end_first(0.9);
  end_first(0.7);
  EXPECT_THAT(open_lengths(), ElementsAre(100));
  const JobRecord job = harness.kept().of<JobRecord>().back();
  EXPECT_EQ(job.after, JobId{2});
  EXPECT_EQ(job.from_iteration, 20);
  EXPECT_EQ(harness.campaign().iterations_asked, 20 + 20 + 100);
  EXPECT_EQ(harness.campaign().iterations_total, 20 + 20 + 20 + 80);  // the beginning once
}

TEST_F(CoreSearchTest, WholeRunsAreRankedBeforeShortOnes) {
  begin(searching("halving", 3), 1);
  end_first(0.5);
  end_first(0.9);
  end_first(0.7);
  end_first(0.6);  // of the second candidate, that was promoted
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  std::vector<std::int64_t> order;
  for (const RankingRecord& row : harness.kept().of<RankingRecord>())
    order.push_back(row.trial.value);
  EXPECT_THAT(order, ElementsAre(2, 3, 1));
}

TEST_F(CoreSearchTest, OnlyWholeRunsAreVerified) {
  begin(searching("halving", 3, "verify: {top: 3, repeats: 1}\n"), 1);
  for (const double top1 : {0.5, 0.9, 0.7, 0.6}) end_first(top1);
  EXPECT_THAT(open_lengths(), ElementsAre(100));
  end_first(0.6);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
}

TEST_F(CoreSearchTest, WhatDivergedIsNotPromoted) {
  begin(searching("halving", 3), 1);
  end_first(0.5, OutcomeKind::kDiverged);
  end_first(0.1, OutcomeKind::kDiverged);
  end_first(0.1, OutcomeKind::kDiverged);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(replayed(), "");
}

TEST_F(CoreSearchTest, EachMethodIsReplayedFromTheRecords) {
  for (const char* method : {"halving", "asha", "tpe"}) {
    harness = CoreHarness();
    ended.clear();
    begin(searching(method, 9), 3);
    for (int i = 0; !open().empty(); ++i) end_first(0.3 + 0.05 * (i * 7 % 11));
    EXPECT_EQ(harness.campaign().state, CampaignState::kDone) << method;
    EXPECT_EQ(replayed(), "") << method;
    EXPECT_EQ(replay_campaign(history())->candidates, 9) << method;
  }
}

Experiment tree_of(const std::string& keys, const std::string& policies) {
  return experiment_of("search:\n  method: tree\n  boundaries: [20, 50]\n" + keys +
                       "  policies: [" + policies + "]\n");
}

// Of two functions the second is better at 20; at 50 it is overtaken by the one that follows it.
TEST_F(CoreSearchTest, ATreeGoesOnFromItsBestPath) {
  begin(tree_of("  draw: grid\n", "{function: fix, k0: [0.1, 0.2]}"), 1);
  const auto last = [this] { return open().front(); };
  EXPECT_EQ(last().plan.iterations, 20);
  end_first(0.5);
  end_first(0.6);
  EXPECT_EQ(last().plan.iterations, 50);  // 0.2 goes on
  EXPECT_EQ(harness.kept().of<JobRecord>().back().from_iteration, 20);
  end_first(0.65);
  EXPECT_EQ(learning_rate(last().policy, 19), 0.2);
  EXPECT_EQ(learning_rate(last().policy, 20), 0.1);
  end_first(0.7);
  // 0.2 and then 0.2 again is no new path; 0.2 and then 0.1 goes on.
  EXPECT_EQ(last().plan.iterations, 100);
  EXPECT_EQ(learning_rate(last().policy, 99), 0.1);
  EXPECT_EQ(harness.kept().of<JobRecord>().back().from_iteration, 50);
  while (!open().empty()) end_first(0.8);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(replayed(), "");
  EXPECT_EQ(replay_campaign(history())->candidates, 4);
  EXPECT_EQ(replay_campaign(history())->promotions, 2);
  EXPECT_THAT(harness.kept().codes(2), Contains("promoted"));
}

// A path that is closed has the rates that it was judged by: poly falls until the run's end.
TEST_F(CoreSearchTest, ATreeChangesNoRateThatWasApplied) {
  begin(tree_of("  draw: grid\n", "{function: poly, k0: 0.1, p: 1}"), 1);
  end_first(0.5);
  end_first(0.6);
  const wire::Assign second = open().front();
  EXPECT_DOUBLE_EQ(learning_rate(second.policy, 10), 0.09);
  EXPECT_EQ(learning_rate(second.policy, 20), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(second.policy, 40), 0.075);  // a quarter of the 80 that are left
  while (!open().empty()) end_first(0.7);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(replayed(), "");
}

// Regression: a path that had collapsed behind its boundary was promoted for what the path before
// it had reached.
TEST_F(CoreSearchTest, APathOfATreeIsJudgedByItsOwnStretch) {
  begin(tree_of("  draw: grid\n", "{function: fix, k0: [0.1, 0.2]}"), 1);
  end_first(0.9);
  end_first(0.6);
  const wire::Assign next = open().front();
  ASSERT_EQ(next.plan.iterations, 50);
  ended.insert(next.job);
  harness.say("a", wire::Started{next.job, next.attempt});
  harness.say("a", harness.measured(next, 1, 0, 0.1));
  harness.say("a", harness.measured(next, 2, 20, 0.9));
  harness.say("a", harness.measured(next, 3, 50, 0.3));
  harness.say("a", harness.finished(next, 4, OutcomeKind::kCompleted));
  const auto decisions = harness.kept().of<DecisionRecord>();
  const auto observed =
      std::find_if(decisions.rbegin(), decisions.rend(),
                   [](const DecisionRecord& decision) { return decision.code == "observed"; });
  EXPECT_EQ(observed->numbers.json().at("value"), 0.3);
}

TEST_F(CoreSearchTest, ATreeEndsWhereAllDiverge) {
  begin(tree_of("  tries: 2\n", "{function: fix, k0: {log: [1, 2]}}"), 2);
  end_first(0.1, OutcomeKind::kDiverged);
  end_first(0.1, OutcomeKind::kDiverged);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(replayed(), "");
}

// Regression: a controller keeps the length that it took from the run before it was made longer.
TEST_F(CoreSearchTest, AControllerOfARunThatWasMadeLongerIsTheSameAgain) {
  begin(experiment_of("search:\n"
                      "  method: list\n"
                      "  policies:\n"
                      "    - {controller: plateau, functions: [{function: fix, k0: 0.2}, "
                      "{function: fix, k0: 0.1}], start: 1, metric: top1, window: 2, "
                      "threshold: 0.3, cooldown: 1}\n"),
        1);
  const auto fail = [&] {
    const wire::Assign job = open().front();
    ended.insert(job.job);
    harness.say("a", wire::Finished{job.job, job.attempt, 1, {OutcomeKind::kFailed, 0, {}, "no"}});
  };
  fail();
  extend({.request = 1, .campaign = "1", .iterations = 150});
  fail();
  EXPECT_EQ(history().candidates.front().plan.iterations, 150);
  EXPECT_EQ(replayed(), "");
}

// Regression: places of an earlier, longer ranking stood for those of the newest.
TEST_F(CoreSearchTest, AnExtensionThatVerifiesFewerIsTheSameAgain) {
  begin(two_policies("verify: {top: 1, repeats: 1}\n"), 1);
  const auto end_all = [&](double first) {
    for (double top1 = first; !open().empty(); top1 += 0.01) end_first(top1);
  };
  end_all(0.5);
  extend({.request = 1, .campaign = "1", .policies = "[{function: fix, k0: 0.3}]"});
  end_all(0.7);
  EXPECT_EQ(replayed(), "");
  EXPECT_EQ(harness.kept().rankings().size(), 3U + 2U);
  extend({.request = 2, .campaign = "1", .iterations = 150});
  end_all(0.8);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(replayed(), "");
}

// Regression: when no run ended well after an extension, the verification's old ranking stayed.
TEST_F(CoreSearchTest, AnExtensionThatVerifiesNobodyLeavesNoRankingOfBefore) {
  begin(two_policies("verify: {top: 2, repeats: 1}\n"), 1);
  for (double top1 = 0.5; !open().empty(); top1 += 0.01) end_first(top1);
  EXPECT_EQ(harness.kept().rankings().size(), 2U + 2U);
  extend({.request = 1, .campaign = "1", .iterations = 150});
  while (!open().empty()) {
    const wire::Assign job = open().front();
    ended.insert(job.job);
    harness.say("a",
                wire::Finished{job.job, job.attempt, 1, {OutcomeKind::kDiverged, 120, {}, "no"}});
  }
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  for (const RankingRecord& row : harness.kept().rankings())
    EXPECT_EQ(row.phase, TrialPhase::kSearch);
  EXPECT_EQ(replayed(), "");
}

TEST_F(CoreSearchTest, AnAlteredLogIsNoticed) {
  begin(searching("asha", 9), 1);
  for (int i = 0; !open().empty(); ++i) end_first(0.3 + 0.05 * (i * 7 % 11));
  CampaignHistory altered = history();
  for (DecisionRecord& decision : altered.log) {
    if (decision.code != "observed") continue;
    nlohmann::json numbers = decision.numbers.json();
    numbers["value"] = 0.0;
    decision.numbers = numbers;
  }
  EXPECT_THAT(replay_campaign(altered)->difference, HasSubstr("of the log was"));
  altered = history();
  altered.log.pop_back();
  altered.candidates.back().plan.iterations = 55;
  EXPECT_THAT(replay_campaign(altered)->difference, HasSubstr("55 iterations"));
}

TEST_F(CoreSearchTest, RankingsAndRepeatsAreMadeAgain) {
  begin(searching("halving", 3, "verify: {top: 1, repeats: 2}\n"), 1);
  for (int i = 0; !open().empty(); ++i) end_first(0.3 + 0.05 * (i * 7 % 11));
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  const auto again = replay_campaign(history());
  EXPECT_EQ(again->difference, "");
  EXPECT_EQ(again->places, 3 + 1);
  EXPECT_EQ(again->repeats, 2);
}

// Regression: poly that takes its length from the run's was told to be another policy once the run
// was longer, though the run keeps what it began with.
TEST_F(CoreSearchTest, AnExtensionLeavesALengthThatWasTakenFromTheRun) {
  begin(
      experiment_of("search:\n  method: list\n  policies:\n    - {function: poly, k0: 0.1, p: 1}\n"
                    "    - segments:\n        - {until: 30, function: fix, k0: 0.1}\n"
                    "        - {function: poly, k0: 0.2, p: 1}\n"),
      2);
  while (!open().empty()) end_first(0.5);
  ASSERT_EQ(replayed(), "");
  CampaignHistory longer = history();
  longer.campaign.extensions = 1;
  longer.campaign.experiment["run"]["iterations"] = 150;
  for (TrialRecord& trial : longer.candidates) trial.plan.iterations = 150;
  longer.rankings.clear();
  const auto difference = [&] { return replay_campaign(longer)->difference; };
  EXPECT_THAT(difference(), testing::StartsWith("0 places are in the ranking"))
      << "candidates are the same";
  longer.candidates[1].policy.segments[1].function.k0 = 0.3;
  EXPECT_THAT(difference(), HasSubstr("candidate 1 was composite"));
  longer = history();
  longer.campaign.experiment["run"]["iterations"] = 150;
  for (TrialRecord& trial : longer.candidates) trial.plan.iterations = 150;
  EXPECT_THAT(difference(), HasSubstr("candidate 0 was POLY")) << "it was not extended";
}

TEST_F(CoreSearchTest, AnAlteredRankingIsNoticed) {
  begin(searching("halving", 3, "verify: {top: 1, repeats: 2}\n"), 1);
  for (int i = 0; !open().empty(); ++i) end_first(0.3 + 0.05 * (i * 7 % 11));
  CampaignHistory altered = history();
  std::swap(altered.rankings[0].trial, altered.rankings[1].trial);
  EXPECT_THAT(replay_campaign(altered)->difference,
              HasSubstr("place 1 of the search's ranking was trial"));
  altered = history();
  nlohmann::json scores = altered.rankings[0].scores.json();
  scores["top1"] = 0.99;
  altered.rankings[0].scores = scores;
  EXPECT_THAT(replay_campaign(altered)->difference,
              HasSubstr("top1 of place 1 of the search's ranking was 0.99"));
  altered = history();
  altered.rankings.pop_back();
  EXPECT_THAT(replay_campaign(altered)->difference, HasSubstr("0 places are in the ranking"));
  altered = history();
  altered.repeats.pop_back();
  EXPECT_THAT(replay_campaign(altered)->difference, HasSubstr("repeat 2 of trial"));
  altered = history();
  altered.repeats.back().verifies = altered.rankings[2].trial;
  EXPECT_THAT(replay_campaign(altered)->difference, HasSubstr("was not made, and would be now"));
}

TEST_F(CoreSearchTest, RepeatsUntilTheOrderIsSettledAreMadeAgain) {
  begin(searching("halving", 9, "verify: {top: 3, repeats: 6, settled: 0.05}\n"), 1);
  for (int i = 0; !open().empty(); ++i) end_first(0.3 + 0.05 * (i * 7 % 11));
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  CampaignHistory whole = history();
  EXPECT_EQ(replay_campaign(whole)->difference, "");
  EXPECT_GT(replay_campaign(whole)->repeats, 3 * 2);
}

TEST_F(CoreSearchTest, ARestartGoesOnFromTheSameKnowledge) {
  begin(searching("tpe", 6), 1);
  for (int i = 0; i < 6; ++i) {
    end_first(0.2 + 0.1 * (i % 3));
    harness.restart();
    harness.advance(60'000);  // what was assigned waits for its lease to end
    harness.hello("a");
    harness.core().check_invariants();
  }
  EXPECT_EQ(harness.kept().state().campaigns.front().state, CampaignState::kDone);
  EXPECT_EQ(replayed(), "");
  EXPECT_EQ(replay_campaign(history())->results, 6);
}

TEST_F(CoreSearchTest, NothingIsAskedWhilePaused) {
  begin(searching("asha", 4), 1);
  const auto order = [this](wire::OrderKind kind, std::int64_t number) {
    wire::Order message;
    message.request = number;
    message.kind = kind;
    message.target = "1";
    harness.say("person", message);
  };
  const wire::Assign first = open().front();
  harness.say("a", wire::Started{first.job, first.attempt});
  harness.say("a", harness.measured(first, 1, 0, 0.1));
  order(wire::OrderKind::kPause, 1);
  harness.core().check_invariants();
  harness.advance(1'000);
  EXPECT_THAT(search_codes(), SizeIs(1));
  order(wire::OrderKind::kResume, 2);
  harness.core().check_invariants();
  EXPECT_THAT(harness.assignments("a"), SizeIs(2));  // the first one again
}

TEST_F(CoreSearchTest, AnotherCampaignsRunsAreTakenOver) {
  begin(searching("asha", 9), 1);
  for (int i = 0; !open().empty(); ++i) end_first(0.3 + 0.05 * (i * 7 % 11));
  const std::size_t assigned = harness.assignments("a").size();
  harness.step(event::Submitted{searching("asha", 9, "rank: {by: loss}\n")});
  harness.answer_survey("a");
  harness.advance(2'000);
  harness.core().check_invariants();
  EXPECT_GE(harness.core().snapshot().campaigns.at(1).reused, 9);
  EXPECT_LE(harness.assignments("a").size(), assigned + 4);  // others may be promoted
}

Experiment with_stop(const std::string& stop, const std::string& extra = "") {
  return experiment_of(
      "search:\n  method: list\n  stop: " + stop +
          "\n  policies:\n    - {function: fix, k0: 0.1}\n    - {function: fix, k0: 0.2}\n"
          "    - {function: fix, k0: 0.3}\n    - {function: fix, k0: 0.4}\n",
      extra);
}

class CoreStoppingTest : public CoreSearchTest {
 protected:
  // The oldest open run is measured at 50, half way.
  wire::Assign measure_first(double top1) {
    const wire::Assign job = open().front();
    harness.say("a", wire::Started{job.job, job.attempt});
    harness.say("a", harness.measured(job, 1, 50, top1));
    harness.core().check_invariants();
    return job;
  }
  void end_with(double half, double whole) {
    const wire::Assign job = measure_first(half);
    harness.say("a", harness.measured(job, 2, 100, whole));
    harness.say("a", harness.finished(job, 3, OutcomeKind::kCompleted));
    ended.insert(job.job);
    harness.core().check_invariants();
  }
  TrialState state_of(std::int64_t trial) {
    TrialState state = TrialState::kWaiting;
    for (const TrialRecord& record : harness.kept().of<TrialRecord>()) {
      if (record.id.value == trial) state = record.state;
    }
    return state;
  }
};

TEST_F(CoreStoppingTest, AHopelessRunGivesItsSlotToTheNext) {
  begin(with_stop("{median: {others: 2}}"), 1);
  end_with(0.5, 0.9);
  end_with(0.3, 0.8);
  const wire::Assign hopeless = measure_first(0.39);  // the median of 0.5 and 0.3 is 0.4
  EXPECT_EQ(state_of(3), TrialState::kStopped);
  ended.insert(hopeless.job);
  const auto next = open();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(learning_rate(next.front().policy, 0), 0.4);
  EXPECT_THAT(harness.sent<wire::Cancel>("a"), SizeIs(1));
  end_with(0.6, 0.7);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_THAT(harness.kept().codes(3), Contains("stopped_early"));
  EXPECT_EQ(harness.kept().of<RankingRecord>().back().trial, TrialId{3});
}

TEST_F(CoreStoppingTest, TheLastRunMayBeTheHopelessOne) {
  begin(with_stop("{median: {others: 2}}", "verify: {top: 1, repeats: 1}\n"), 1);
  end_with(0.5, 0.9);
  end_with(0.3, 0.8);
  end_with(0.5, 0.7);
  ended.insert(measure_first(0.2).job);
  EXPECT_EQ(harness.campaign().state, CampaignState::kVerifying);
  // A repeat is judged by its mean: no rule stops it.
  const wire::Assign repeat = measure_first(0.01);
  EXPECT_EQ(state_of(5), TrialState::kRunning);
  EXPECT_EQ(repeat.plan.iterations, 100);
}

TEST_F(CoreStoppingTest, ARestartKnowsWhatHasEnded) {
  begin(with_stop("{median: {others: 2}}"), 1);
  end_with(0.5, 0.9);
  end_with(0.3, 0.8);
  harness.restart();
  harness.advance(60'000);
  harness.hello("a");
  measure_first(0.39);
  EXPECT_EQ(state_of(3), TrialState::kStopped);
  std::int64_t weighed = 0;
  for (const DecisionRecord& decision : harness.kept().of<DecisionRecord>())
    weighed += decision.code == "weighed";
  EXPECT_EQ(weighed, 2);
}

TEST_F(CoreStoppingTest, ARunThatAnotherCampaignNeedsGoesOn) {
  begin(with_stop("{median: {others: 2}}"), 1);
  harness.step(event::Submitted{with_stop("{median: {others: 900}}")});
  harness.answer_survey("a");
  end_with(0.5, 0.9);
  end_with(0.3, 0.8);
  const wire::Assign shared = measure_first(0.1);
  EXPECT_EQ(state_of(3), TrialState::kStopped);
  EXPECT_EQ(state_of(7), TrialState::kRunning);
  EXPECT_THAT(harness.sent<wire::Cancel>("a"), IsEmpty());
  harness.say("a", harness.measured(shared, 2, 100, 0.2));
  harness.say("a", harness.finished(shared, 3, OutcomeKind::kCompleted));
  harness.core().check_invariants();
  EXPECT_EQ(state_of(3), TrialState::kStopped);
  EXPECT_EQ(state_of(7), TrialState::kDone);
}

TEST_F(CoreSearchTest, EveryDecisionIsASentence) {
  begin(searching("asha", 9), 1);
  for (int i = 0; !open().empty(); ++i) end_first(0.3 + 0.05 * (i * 7 % 11));
  std::vector<std::string> sentences;
  for (const DecisionRecord& decision : harness.kept().state().search_log)
    sentences.push_back(sentence(decision));
  EXPECT_THAT(sentences, Each(AllOf(Not(HasSubstr("{")), HasSubstr("rial "))));
  EXPECT_THAT(sentences, Contains(HasSubstr("was promoted to rung 1")));
  EXPECT_THAT(sentences, Contains(HasSubstr("at rung 0: 0.3")));
}

}  // namespace
}  // namespace lrtune
