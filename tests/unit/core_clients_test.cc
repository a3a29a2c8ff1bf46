// What people order, in the coordinator's core by hand: each test is one rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/core/decisions.h"
#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const char* const kClient = "a person";

const char* const kRandom =
    "search:\n"
    "  method: random\n"
    "  count: 2\n"
    "  policies: [{function: fix, k0: {log: [0.001, 0.1]}}]\n";

std::string text_of(const std::string& name, const std::string& search) {
  return "name: " + name +
         "\n"
         "train:\n"
         "  dataset: {name: mnist}\n"
         "  model: lenet\n"
         "  optimizer: {name: momentum, momentum: 0.9}\n"
         "  batch: 100\n"
         "run: {iterations: 100, evaluate: {every: 50}}\n"
         "seed: 7\n" +
         search;
}

class CoreClientsTest : public testing::Test {
 protected:
  wire::Answer ask(wire::ToCoordinator question) {
    harness.say(kClient, std::move(question));
    const auto answers = harness.sent<wire::Answer>(kClient);
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? wire::Answer{} : answers.front();
  }
  wire::Answer order(wire::OrderKind kind, const std::string& target) {
    return ask(wire::Order{1, kind, target, "for a reason"});
  }
  // A campaign with its trials made.
  void submit(const std::string& name, const std::string& search = kRandom,
              std::int64_t priority = 0) {
    ask(wire::Submit{1, name + ".yaml", text_of(name, search), "", priority});
    harness.answer_survey("a");
  }
  nlohmann::json inspect(const std::string& campaign) {
    wire::Inspect question;
    question.kind = wire::InspectKind::kCampaign;
    question.target = campaign;
    return ask(question).document;
  }
  std::string state_of(const std::string& campaign) { return inspect(campaign).value("state", ""); }
  JobRecord job(std::int64_t id) {
    JobRecord last;
    for (const JobRecord& record : harness.kept().of<JobRecord>()) {
      if (record.id.value == id) last = record;
    }
    return last;
  }

  CoreHarness harness;
};

TEST_F(CoreClientsTest, ASubmissionIsAnsweredInTheStepThatRecordsIt) {
  const Actions actions = harness.step(
      event::Received{kClient, wire::Submit{7, "x.yaml", text_of("x", kRandom), "", 3}});
  ASSERT_EQ(harness.sent<wire::Answer>(kClient).size(), 1U);
  const wire::Answer answer = harness.sent<wire::Answer>(kClient).front();
  EXPECT_EQ(answer.request, 7);
  EXPECT_EQ(answer.error, "");
  EXPECT_EQ(answer.document.at("campaign"), 1);
  EXPECT_EQ(answer.document.at("known"), false);
  EXPECT_FALSE(actions.records.empty());
  EXPECT_EQ(harness.kept().of<CampaignRecord>().back().priority, 3);
}

TEST_F(CoreClientsTest, TheSameExperimentAgainIsTheSameCampaign) {
  ask(wire::Submit{1, "x.yaml", text_of("x", kRandom), "", 3});
  const wire::Answer again = ask(wire::Submit{2, "y.yaml", text_of("x", kRandom), ""});
  EXPECT_EQ(again.document.at("campaign"), 1);
  EXPECT_EQ(again.document.at("known"), true);
  EXPECT_EQ(again.document.at("priority"), 3) << "nobody asked for another one";
}

TEST_F(CoreClientsTest, ABadExperimentIsRefusedWithItsPlaceAndNothingIsRecorded) {
  const Actions actions =
      harness.step(event::Received{kClient, wire::Submit{1, "x.yaml", "name: x\nsed: 1\n", "", 0}});
  EXPECT_THAT(actions.records, IsEmpty());
  EXPECT_THAT(harness.sent<wire::Answer>(kClient).front().error, HasSubstr("x.yaml:"));
}

TEST_F(CoreClientsTest, PauseStopsWhatRunsAndFreesItsSlotAndResumeGoesOn) {
  harness.hello("a");
  submit("x");
  const wire::Assign first = harness.assignment("a").value();
  harness.say("a", wire::Started{first.job, first.attempt});
  order(wire::OrderKind::kPause, "x");
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 1U);
  EXPECT_EQ(job(1).state, JobState::kPending);
  EXPECT_EQ(harness.core().snapshot().busy_slots, 0);
  harness.advance(3000);
  EXPECT_EQ(job(1).attempt, 1);  // nothing is assigned
  order(wire::OrderKind::kResume, "x");
  EXPECT_EQ(harness.assignment("a")->attempt, 2);
  EXPECT_EQ(harness.assignment("a")->job, first.job);
}

// A pause forgot whom it had asked, so a data set that takes minutes to look at was looked at
// twice.
TEST_F(CoreClientsTest, ASurveyThatIsUnderWayIsNotAskedAgainAfterAPause) {
  harness.hello("a");
  ask(wire::Submit{1, "x.yaml", text_of("x", kRandom), "", 0});
  order(wire::OrderKind::kPause, "x");
  order(wire::OrderKind::kResume, "x");
  EXPECT_THAT(harness.sent<wire::Survey>("a"), IsEmpty());
  order(wire::OrderKind::kPause, "x");
  harness.answer_survey("a");
  EXPECT_THAT(harness.kept().of<TrialRecord>(), IsEmpty()) << "it is paused";
  order(wire::OrderKind::kResume, "x");
  EXPECT_THAT(harness.sent<wire::Survey>("a"), IsEmpty());
  EXPECT_NE(harness.assignment("a"), std::nullopt);
}

TEST_F(CoreClientsTest, APauseSurvivesARestart) {
  harness.hello("a");
  submit("x");
  order(wire::OrderKind::kPause, "x");
  harness.restart();
  harness.hello("a");
  harness.advance(5000);
  EXPECT_EQ(harness.assignment("a"), std::nullopt);
  EXPECT_EQ(harness.campaign().waiting_for, "it is paused");
  order(wire::OrderKind::kResume, "1");
  EXPECT_NE(harness.assignment("a"), std::nullopt);
}

// A coordinator that had restarted showed no best policies of what had ended before.
TEST_F(CoreClientsTest, TheBestPoliciesAreShownAfterARestartToo) {
  harness.hello("a");
  submit("x", std::string(kRandom) + "verify: {top: 1, repeats: 2}\n");
  const auto best = [&] { return inspect("x").at("best"); };
  harness.run("a", harness.assignment("a").value(), 0.5);
  EXPECT_THAT(best(), IsEmpty());
  harness.run("a", harness.assignment("a").value(), 0.7);
  const nlohmann::json searched = best();
  ASSERT_EQ(searched.size(), 2U);
  EXPECT_EQ(searched.at(0).at("trial"), 2);
  harness.restart();
  EXPECT_EQ(best(), searched) << "while it verifies";
  harness.advance(11'000);  // the worker does not come back with its job
  harness.hello("a");
  for (int repeat = 0; repeat < 2; ++repeat) harness.run("a", harness.assignment("a").value(), 0.6);
  ASSERT_EQ(state_of("x"), "done");
  const nlohmann::json verified = best();
  ASSERT_EQ(verified.size(), 1U);
  EXPECT_EQ(verified.at(0).at("scores").at("repeats"), 2);
  harness.restart();
  EXPECT_EQ(best(), verified);
}

// A campaign that ended while it was paused stayed paused, where no resume could reach it: what it
// was extended by never ran.
TEST_F(CoreClientsTest, WhatEndsWhilePausedIsNotPausedWhenItIsExtended) {
  harness.hello("a");
  submit("x");
  submit("y");  // the same trials, so x ends with it
  const wire::Assign first = harness.assignment("a").value();
  order(wire::OrderKind::kPause, "x");
  harness.run("a", first, 0.5);
  harness.run("a", harness.assignment("a").value(), 0.6);
  ASSERT_EQ(state_of("x"), "done");
  EXPECT_EQ(ask(wire::Extend{1, "x", 200, 0, 0, ""}).error, "");
  harness.answer_survey("a");
  EXPECT_EQ(harness.assignment("a")->plan.iterations, 200);
}

// `lrtune run` of a campaign that a client had paused waited for nobody, and gave up.
TEST_F(CoreClientsTest, WhoRunsAPausedCampaignEndsItsPauseAndARebuiltCoreDoesNot) {
  harness.hello("a");
  const Experiment experiment = two_policies();
  harness.step(event::Submitted{experiment, true});
  harness.answer_survey("a");
  order(wire::OrderKind::kPause, "test");
  harness.step(event::Submitted{experiment});
  EXPECT_TRUE(harness.campaign().paused);
  harness.step(event::Submitted{experiment, true});
  EXPECT_FALSE(harness.campaign().paused);
  EXPECT_EQ(harness.assignment("a")->attempt, 2);
}

TEST_F(CoreClientsTest, AJobThatAnotherCampaignNeedsOutlivesAPauseAndACancel) {
  harness.hello("a");
  submit("x");
  submit("y");  // the same trials under another name
  const wire::Assign job = harness.assignment("a").value();
  harness.say("a", wire::Started{job.job, job.attempt});
  order(wire::OrderKind::kPause, "x");
  EXPECT_THAT(harness.sent<wire::Cancel>("a"), IsEmpty());
  order(wire::OrderKind::kCancel, "x");
  EXPECT_THAT(harness.sent<wire::Cancel>("a"), IsEmpty());
  order(wire::OrderKind::kCancel, "y");
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 1U);
  EXPECT_EQ(state_of("y"), "cancelled");
}

// The store keeps what a trial reached, so it has to hear of a job that ends later than its trial.
TEST_F(CoreClientsTest, ACancelledTrialIsWrittenAgainWhenItsJobEndsForAnotherCampaign) {
  harness.hello("a");
  submit("x");
  submit("y");
  order(wire::OrderKind::kCancel, "x");
  harness.run("a", harness.assignment("a").value(), 0.5);
  std::vector<TrialRecord> ended;
  for (const TrialRecord& trial : harness.kept().of<TrialRecord>()) {
    if (trial.job == JobId{1}) ended.push_back(trial);
  }
  ASSERT_GE(ended.size(), 2U);
  EXPECT_EQ(ended[ended.size() - 2].state, TrialState::kCancelled);
  EXPECT_EQ(ended[ended.size() - 2].campaign, CampaignId{1});
  EXPECT_EQ(ended.back().state, TrialState::kDone);
}

TEST_F(CoreClientsTest, ACancelledCampaignGoesOnWhereItWasOnceItIsSubmittedAgain) {
  harness.hello("a");
  submit("x");
  harness.run("a", harness.assignment("a").value(), 0.5);
  order(wire::OrderKind::kCancel, "x");
  EXPECT_EQ(state_of("x"), "cancelled");
  EXPECT_EQ(order(wire::OrderKind::kPause, "x").error, "campaign 1 (x) has ended: it is cancelled");
  EXPECT_EQ(order(wire::OrderKind::kCancel, "x").error, "");  // asked twice
  submit("x");
  EXPECT_EQ(state_of("x"), "searching");
  harness.run("a", harness.assignment("a").value(), 0.6);
  EXPECT_EQ(state_of("x"), "done");
  EXPECT_EQ(job(1).attempt, 1);  // what was done is not done again
}

TEST_F(CoreClientsTest, HigherPriorityGetsTheNextSlot) {
  harness.hello("a");
  submit("low");
  submit("high",
         "search: {method: list, policies: [{function: fix, k0: 0.5}, {function: fix, k0: 0.6}]}\n",
         5);
  harness.run("a", harness.assignment("a").value(), 0.5);  // of low: it was there first
  EXPECT_EQ(harness.assignment("a")->policy.segments[0].function.k0, 0.5);
}

TEST_F(CoreClientsTest, EqualPrioritiesShareTheSlots) {
  submit(
      "x",
      "search: {method: list, policies: [{function: fix, k0: 0.1}, {function: fix, k0: 0.2}]}\n");
  submit(
      "y",
      "search: {method: list, policies: [{function: fix, k0: 0.3}, {function: fix, k0: 0.4}]}\n");
  harness.hello("a");
  harness.answer_survey("a");
  harness.hello("b");
  const auto documents = ask(wire::Inspect{}).document.at("campaigns");
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[0].at("running"), 1);
  EXPECT_EQ(documents[1].at("running"), 1);
}

TEST_F(CoreClientsTest, ALongerCampaignGoesOnInItsOwnTrialsAndAskingTwiceIsAskingOnce) {
  harness.hello("a");
  submit("x");
  harness.run("a", harness.assignment("a").value(), 0.5);
  harness.run("a", harness.assignment("a").value(), 0.6);
  ASSERT_EQ(state_of("x"), "done");
  const wire::Extend longer{1, "x", 200, 0, 3, ""};
  EXPECT_EQ(ask(longer).document.at("state"), "surveying");
  harness.answer_survey("a");
  const wire::Assign job = harness.assignment("a").value();
  EXPECT_EQ(job.plan.iterations, 200);
  EXPECT_EQ(harness.campaign().trials, 3);
  for (int i = 0; i < 3; ++i) harness.run("a", harness.assignment("a").value(), 0.7);
  EXPECT_EQ(state_of("x"), "done");
  EXPECT_THAT(harness.kept().codes(1), ElementsAre("assigned", "completed", "ranked", "extended",
                                                   "assigned", "completed", "ranked"));
  const Actions again = harness.step(event::Received{kClient, longer});
  EXPECT_THAT(again.records, IsEmpty());
  harness.restart();
  EXPECT_EQ(state_of("x"), "done");
  EXPECT_EQ(harness.kept().of<CampaignRecord>().back().extensions, 1);
}

TEST_F(CoreClientsTest, ACampaignThatRunsCanBeExtended) {
  harness.hello("a");
  submit("x");
  const wire::Assign job = harness.assignment("a").value();
  harness.say("a", wire::Started{job.job, job.attempt});
  ask(wire::Extend{1, "x", 300, 0, 0, ""});
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(),
            0U);  // until the survey is answered it trains on
  harness.answer_survey("a");
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 0U);  // the longer run goes on from its end
  harness.run("a", job, 0.6);
  for (int i = 0; i < 3; ++i) harness.run("a", harness.assignment("a").value(), 0.7);
  EXPECT_EQ(state_of("x"), "done");
}

// Bug: a worker that was asked before counted as busy with the old survey for ever.
TEST_F(CoreClientsTest, AnExtensionWhileSurveyingLeavesNoWorkerBusy) {
  harness.hello("a");
  ask(wire::Submit{1, "x.yaml", text_of("x", kRandom), "", 0});
  ask(wire::Extend{1, "x", 200, 0, 0, ""});
  order(wire::OrderKind::kCancel, "x");
  order(wire::OrderKind::kDrain, "a");
  EXPECT_EQ(harness.sent<wire::Shutdown>("a").size(), 1U);
}

TEST_F(CoreClientsTest, WhatCannotBeExtendedSaysWhy) {
  harness.hello("a");
  submit("x");
  const auto error = [&](wire::Extend extend) { return ask(std::move(extend)).error; };
  EXPECT_THAT(error({1, "x", 50, 0, 0, ""}), HasSubstr("100 iterations already, 50 are fewer"));
  EXPECT_THAT(error({1, "x", 0, 3, 0, ""}), HasSubstr("counted in iterations"));
  EXPECT_THAT(error({1, "x", 0, 0, 1, ""}), HasSubstr("2 candidates already"));
  EXPECT_THAT(error({1, "x", 0, 0, 0, "- {function: fix, k0: 1}"}), HasSubstr("random search"));
  EXPECT_THAT(error({1, "z", 200, 0, 0, ""}), HasSubstr("no campaign 'z'"));
}

TEST_F(CoreClientsTest, ADrainedWorkerEndsWhatItTrainsAndLeaves) {
  harness.hello("a");
  submit("x");
  const wire::Assign job = harness.assignment("a").value();
  order(wire::OrderKind::kDrain, "a");
  EXPECT_THAT(harness.sent<wire::Shutdown>("a"), IsEmpty());
  harness.say("a", wire::Started{job.job, job.attempt});
  harness.say("a", harness.measured(job, 1, 0, 0.1));
  harness.say("a", harness.measured(job, 2, 100, 0.5));
  harness.say("a", harness.finished(job, 3, OutcomeKind::kCompleted));
  EXPECT_EQ(harness.sent<wire::Shutdown>("a").size(), 1U);
  EXPECT_EQ(harness.assignment("a")->job, job.job);  // nothing new
  harness.restart();
  harness.hello("a");
  EXPECT_EQ(harness.sent<wire::Shutdown>("a").size(), 1U);
  order(wire::OrderKind::kAdmit, "a");
  EXPECT_NE(harness.assignment("a"), std::nullopt);
}

// Bug: a worker that slept past its lease was sent away as if it had been drained.
TEST_F(CoreClientsTest, ALostWorkerIsNotDismissed) {
  harness.hello("a");
  submit("x");
  harness.stall(1000);
  for (int i = 0; i < 12; ++i) {
    harness.advance(1000);
    EXPECT_THAT(harness.sent<wire::Shutdown>("a"), IsEmpty());
  }
  EXPECT_EQ(harness.core().snapshot().workers, 0);
}

TEST_F(CoreClientsTest, ABannedWorkerIsSentAwayAndItsJobGoesToAnotherWithoutAStain) {
  harness.hello("a");
  submit("x");
  const wire::Assign job = harness.assignment("a").value();
  harness.say("a", wire::Started{job.job, job.attempt});
  harness.hello("b");
  order(wire::OrderKind::kBan, "a");
  EXPECT_EQ(harness.sent<wire::Rejected>("a").size(), 1U);
  EXPECT_EQ(CoreClientsTest::job(1).deaths, 0);
  harness.restart();
  harness.hello("a");
  EXPECT_EQ(harness.sent<wire::Rejected>("a").front().reason, "worker a is banned: for a reason");
}

TEST_F(CoreClientsTest, ListsComeAPageAtATime) {
  for (int i = 0; i < 90; ++i) {
    ask(wire::Submit{1, "x.yaml", text_of("c" + std::to_string(i), kRandom), "", 0});
  }
  wire::Inspect question;
  std::vector<std::int64_t> seen;
  for (bool more = true; more;) {
    const wire::Answer page = ask(question);
    for (const auto& one : page.document.at("campaigns")) seen.push_back(one.at("campaign"));
    more = page.document.at("more");
    question.after = std::to_string(seen.back());
  }
  ASSERT_EQ(seen.size(), 90U);
  EXPECT_EQ(seen.front(), 90);
  EXPECT_EQ(seen.back(), 1);
}

TEST_F(CoreClientsTest, ATargetThatIsNoneSaysWhatIsAllowed) {
  EXPECT_THAT(order(wire::OrderKind::kPause, "x").error,
              AllOf(HasSubstr("no campaign 'x'"), HasSubstr("lrtune status")));
  EXPECT_THAT(order(wire::OrderKind::kDrain, "x").error, HasSubstr("no worker 'x'"));
}

// Bug: a campaign of many candidates was made in one step, which hashed every iteration of each.
TEST_F(CoreClientsTest, ALargeCampaignIsMadeInSteps) {
  harness.hello("a");
  ask(wire::Submit{1, "x.yaml",
                   text_of("x",
                           "search: {method: random, count: 1000, policies: [{function: fix, k0: "
                           "{log: [0.001, 0.1]}}]}\n"),
                   "", 0});
  harness.answer_survey("a");
  EXPECT_LT(harness.campaign().trials, 1000);
  EXPECT_EQ(state_of("x"), "surveying");
  EXPECT_EQ(harness.assignment("a"), std::nullopt);  // what they share is not known yet
  harness.restart();
  harness.hello("a");
  harness.answer_survey("a");
  for (int i = 0; i < 20 && state_of("x") == "surveying"; ++i) harness.step(event::Ticked{});
  EXPECT_EQ(harness.campaign().trials, 1000);
  EXPECT_EQ(state_of("x"), "searching");
  EXPECT_NE(harness.assignment("a"), std::nullopt);
}

// Jobs that last less than a round trip are sent ahead of the slot; nobody waits for a commit then.
TEST_F(CoreClientsTest, ShortJobsAreSentAheadAndLongOnesAreNot) {
  harness.hello("a");
  ask(wire::Submit{1, "x.yaml",
                   text_of("x",
                           "search: {method: random, count: 50, policies: [{function: fix, k0: "
                           "{log: [0.001, 0.1]}}]}\n"),
                   "", 0});
  harness.answer_survey("a");
  const wire::Assign first = harness.assignment("a").value();
  harness.advance(1000);  // from the assignment to its start
  harness.run("a", first, 0.5);
  EXPECT_GT(harness.campaign().running.size(), 10U);
}

TEST_F(CoreClientsTest, AJudgementIsRecordedOnceHoweverOftenItIsSaid) {
  harness.hello("a");
  submit("x");
  const wire::Judge verdict{1, TrialId{2}, wire::JudgementKind::kVerdict,
                            FlatJson{{"verdict", "best"}, {"top1", 0.5}}};
  const auto recorded = [&](const wire::Judge& question) {
    std::vector<DecisionRecord> decisions;
    for (const Record& record : harness.step(event::Received{kClient, question}).records) {
      if (const auto* one = std::get_if<DecisionRecord>(&record)) decisions.push_back(*one);
    }
    EXPECT_EQ(harness.sent<wire::Answer>(kClient).front().error, "");
    return decisions;
  };
  const auto first = recorded(verdict);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].code, "verdict");
  EXPECT_EQ(first[0].trial, TrialId{2});
  EXPECT_EQ(first[0].campaign, CampaignId{1});
  EXPECT_EQ(first[0].numbers, verdict.numbers);
  EXPECT_THAT(recorded(verdict), IsEmpty()) << "it was lost, and is asked again";
  wire::Judge other = verdict;
  other.numbers = FlatJson{{"verdict", "replaced"}};
  EXPECT_EQ(recorded(other).size(), 1U);
  other.kind = wire::JudgementKind::kComposed;
  EXPECT_EQ(recorded(other).front().code, "composed");
}

TEST_F(CoreClientsTest, AJudgementOfATrialThatIsNotThereIsRefused) {
  harness.hello("a");
  submit("x");
  EXPECT_THAT(ask(wire::Judge{1, TrialId{3}, wire::JudgementKind::kVerdict, {}}).error,
              HasSubstr("there is no trial 3"));
}

// Regression: a text in the place of a number ended `lrtune why`.
TEST(Judgements, OfAClientAreToldWhateverTheySay) {
  const nlohmann::json values = {"x", 1e300, nullptr, true, 3};
  for (const char* code : {"verdict", "composed"}) {
    for (const nlohmann::json& value : values) {
      nlohmann::json numbers = nlohmann::json::object();
      for (const char* key : {"verdict", "measure", "target", "phase", "replacement", "others",
                              "top1", "best", "best_top1", "compared_with"})
        numbers[key] = value;
      const DecisionRecord judged{CampaignId{1}, TrialId{2}, 0, code, numbers};
      EXPECT_THAT(sentence(judged), HasSubstr("Trial 2")) << numbers;
      EXPECT_THAT(sentence({CampaignId{1}, TrialId{2}, 0, code, nlohmann::json::object()}),
                  HasSubstr("Trial 2"));
    }
  }
}

}  // namespace
}  // namespace lrtune
