#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "common/config/experiment.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/report/report_page.h"
#include "coordinator/report/result_charts.h"
#include "coordinator/report/results.h"
#include "coordinator/report/text_table.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

Experiment some_experiment() {
  return experiment_from_yaml(R"(
name: two
train:
  dataset: {name: mnist}
  model: lenet
  optimizer: {name: sgd}
  batch: 100
run: {iterations: 100, evaluate: {every: 50}, target: {top1: 0.9}}
seed: 7
search:
  method: list
  policies:
    - {function: fix, k0: 0.01}
    - {name: "the\nhigh, one", function: fix, k0: 0.1}
    - {function: fix, k0: 9}
verify: {top: 1, repeats: 2}
)",
                              "two.yaml")
      .value();
}

Policy fix(double k0) {
  LrFunction function;
  function.k0 = k0;
  return Policy{{Segment{function}}};
}

// A campaign as a store would give it: three search trials of which the last diverged, and two
// repeats of the second.
class StoredCampaign {
 public:
  StoredCampaign() {
    const Experiment experiment = some_experiment();
    CampaignRecord campaign;
    campaign.id = CampaignId{1};
    campaign.name = experiment.name;
    campaign.hash = experiment.hash;
    campaign.experiment = experiment.normalised;
    campaign.state = CampaignState::kDone;
    stored.campaigns.push_back(campaign);
    add(fix(0.01), {}, {0.1, 0.8, 0.85});
    add(fix(0.1), {}, {0.1, 0.95, 0.94});
    add(fix(9), {}, {0.1});
    stored.jobs.back().state = JobState::kDiverged;
    stored.jobs.back().outcome = Outcome{OutcomeKind::kDiverged, 17, {}, ""};
    stored.trials.back().state = TrialState::kDiverged;
    add(fix(0.1), TrialId{2}, {0.1, 0.94, 0.93});
    add(fix(0.1), TrialId{2}, {0.1, 0.96, 0.95});
  }

  StoredState stored;

  // One more search trial, behind the verification.
  void extend(const Experiment& experiment, const Policy& policy) {
    stored.campaigns.back().experiment = experiment.normalised;
    ++stored.campaigns.back().extensions;
    add(policy, {}, {0.1, 0.5});
  }

 private:
  void add(const Policy& policy, TrialId verifies, const std::vector<double>& top1) {
    const auto id = static_cast<std::int64_t>(stored.trials.size()) + 1;
    TrialRecord trial;
    trial.id = TrialId{id};
    trial.number = static_cast<std::int64_t>(stored.trials.size());
    trial.campaign = CampaignId{1};
    trial.phase = verifies ? TrialPhase::kVerify : TrialPhase::kSearch;
    trial.verifies = verifies;
    trial.repeat = verifies ? static_cast<std::uint32_t>(id - 3) : 0;
    trial.policy = policy;
    trial.plan.iterations = 100;
    trial.plan.target = Target{Measure::kTop1, 0.9};
    trial.job = JobId{id};
    trial.state = TrialState::kDone;
    stored.trials.push_back(trial);
    JobRecord job;
    job.id = JobId{id};
    job.state = JobState::kDone;
    job.attempt = 2;
    job.outcome = Outcome{OutcomeKind::kCompleted, 100, {}, ""};
    stored.jobs.push_back(job);
    // The first attempt was lost with its worker: what it measured counts nowhere.
    add_point(id, 1, 0, 0.999);
    for (std::size_t i = 0; i < top1.size(); ++i) {
      add_point(id, 2, static_cast<std::int64_t>(i) * 50, top1[i]);
    }
  }

  void add_point(std::int64_t job, Attempt attempt, std::int64_t iteration, double top1) {
    PointRecord record;
    record.job = JobId{job};
    record.attempt = attempt;
    record.point.iteration = iteration;
    record.point.evaluated = {1 - top1, top1, 1};
    record.point.train = {1 - top1 - 0.0625, top1, 1};
    record.point.train_seconds = static_cast<double>(iteration) / 10;
    stored.points.push_back(record);
  }
};

CampaignResults some_results() {
  const StoredCampaign campaign;
  return collect_results(campaign.stored, some_experiment().hash).value();
}

// Trial 2 is the best; its policy at half and at ten times its rate.
// Bug: the trial's number stood for its candidate, so that it had no name or another's.
TEST(RunResults, AnExtendedCampaignsPoliciesHaveTheirOwnNames) {
  Experiment extended = some_experiment();
  nlohmann::json json = extended.normalised;
  json["search"]["policies"].push_back({{"name", "late"}, {"function", "fix"}, {"k0", 0.02}});
  extended = experiment_from_json(json).value();
  StoredCampaign campaign;
  campaign.extend(extended, fix(0.02));
  const auto results = collect_results(campaign.stored, campaign.stored.campaigns[0].hash).value();
  const auto late = std::find_if(
      results.policies.begin(), results.policies.end(),
      [](const PolicyResult& policy) { return policy.search.trial.policy == fix(0.02); });
  ASSERT_NE(late, results.policies.end());
  EXPECT_EQ(late->name, "late");
}

// Regression: repeats of the length before an extension were averaged with those of the new one.
TEST(RunResults, RepeatsOfAnEarlierLengthDoNotCount) {
  StoredCampaign campaign;
  for (TrialRecord& trial : campaign.stored.trials) {
    if (trial.phase == TrialPhase::kSearch) trial.plan.iterations = 200;
  }
  campaign.stored.trials.back().plan.iterations = 200;  // the second repeat alone
  const auto results = collect_results(campaign.stored, campaign.stored.campaigns[0].hash).value();
  const auto best = std::ranges::find_if(results.policies, [](const PolicyResult& policy) {
    return policy.search.trial.id == TrialId{2};
  });
  ASSERT_NE(best, results.policies.end());
  ASSERT_EQ(best->repeats.size(), 1U);
  EXPECT_EQ(best->repeats[0].trial.id, campaign.stored.trials.back().id);
  EXPECT_EQ(best->verified->repeats, 1);
}

TEST(RunResults, ShowTheToleranceToScaledRates) {
  StoredCampaign campaign;
  nlohmann::json normal = some_experiment().normalised;
  normal["tolerance"] = {{"top", 1}, {"scales", {0.5, 1, 10}}};
  const Experiment experiment = experiment_from_json(normal).value();
  campaign.stored.campaigns.at(0).hash = experiment.hash;
  campaign.stored.campaigns.at(0).experiment = experiment.normalised;
  for (std::size_t i = 3; i < 5; ++i) {
    TrialRecord& trial = campaign.stored.trials.at(i);
    trial.phase = TrialPhase::kTolerance;
    trial.repeat = 0;
    trial.scale = i == 3 ? 0.5 : 10;
  }
  campaign.stored.jobs.at(4).outcome = Outcome{OutcomeKind::kDiverged, 60, {}, ""};
  const auto results = collect_results(campaign.stored, experiment.hash);
  ASSERT_TRUE(results) << results.error().message;
  const std::string text = results_text(*results, {});
  EXPECT_EQ(text.substr(text.find("\nTolerance") + 1),
            R"(Tolerance: best top-1 with all rates scaled
trial  policy                       x0.5      x1             x10  over all scales
    2  the high, one: FIX k0=0.1  0.9400  0.9500  diverged at 60  0.9450 ± 0.0071

377 of the 500 iterations asked for were trained (75.4 %): 123 were left when runs ended early.
)");
  const nlohmann::json json = to_json(*results).at("best").at("tolerance");
  EXPECT_EQ(json.at("trial"), 2);
  EXPECT_EQ(json.at("ended_well"), 2);
  EXPECT_EQ(json.at("runs").size(), 3u);
  EXPECT_EQ(json.at("runs").at(2).at("scale"), 10);
  const std::string csv = to_csv(*results);
  EXPECT_NE(csv.find(",tolerance,0,"), std::string::npos);
  EXPECT_NE(csv.find(",0.5,"), std::string::npos);
}

TEST(RunResults, TablesShowEveryPolicyBestFirst) {
  EXPECT_EQ(results_text(some_results(), {}),
            R"(two: 3 policies ranked by top1 (best), evaluated on the validation part
rank  trial  policy                      top-1   at   final    loss  to target  seconds  loss diff
   1      2  the high, one: FIX k0=0.1  0.9500   50  0.9400  0.0500         50     10.0    -0.0625
   2      1  FIX k0=0.01                0.8500  100  0.8500  0.1500          -     10.0    -0.0625
   3      3  FIX k0=9                   0.1000    0  0.1000  0.9000          -      0.0    -0.0625  diverged at 17

Verified with new seeds (mean ± sample deviation), ranked by top1 (best)
rank  trial  policy                     repeats            top-1             loss  to target     seconds         loss diff
   1      2  the high, one: FIX k0=0.1        2  0.9500 ± 0.0141  0.0500 ± 0.0141     50 ± 0  10.0 ± 0.0  -0.0625 ± 0.0000

417 of the 500 iterations asked for were trained (83.4 %): 83 were left when runs ended early.
)");
}

TEST(RunResults, BySecondsTheTablesHaveThem) {
  nlohmann::json normal = some_experiment().normalised;
  normal["rank"]["by"] = "seconds";
  const Experiment experiment = experiment_from_json(normal).value();
  StoredCampaign campaign;
  campaign.stored.campaigns.at(0).hash = experiment.hash;
  campaign.stored.campaigns.at(0).experiment = experiment.normalised;
  const auto results = collect_results(campaign.stored, experiment.hash);
  ASSERT_TRUE(results) << results.error().message;
  const std::string text = results_text(*results, {});
  EXPECT_THAT(text, HasSubstr("two: 3 policies ranked by seconds (best)"));
  EXPECT_THAT(text, HasSubstr("  seconds  loss diff  s to target\n"));
  EXPECT_THAT(text, HasSubstr("     10.0    -0.0625          5.0\n"));
  EXPECT_THAT(text, HasSubstr("     10.0    -0.0625            -\n"));
  EXPECT_THAT(text, HasSubstr("  -0.0625            -  diverged at 17\n"));
  EXPECT_THAT(text, HasSubstr("  loss diff  s to target\n"));
  EXPECT_THAT(text, HasSubstr("-0.0625 ± 0.0000    5.0 ± 0.0\n"));
}

TEST(RunResults, WhatTrialsSayIsShownOnceUnderTheTables) {
  StoredCampaign campaign;
  for (const std::size_t job : {0U, 1U, 3U}) {
    ASSERT_TRUE(campaign.stored.jobs[job].outcome);
    campaign.stored.jobs[job].outcome->message = job == 0 ? "1 image was skipped" : "it went on";
  }
  campaign.stored.jobs[2].outcome->message = "the training loss of iteration 17 is not finite";
  const auto results = collect_results(campaign.stored, some_experiment().hash).value();
  const std::string text = results_text(results, {});
  EXPECT_THAT(text,
              HasSubstr("\n\nTrial 1: 1 image was skipped\nTrial 2 and 1 more: it went on\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("not finite")));
  EXPECT_EQ(to_json(results)["best"]["message"], "it went on");
}

// One repeat was shown with "± 0.0000".
TEST(RunResults, OneRepeatHasNoDeviation) {
  CampaignResults results = some_results();
  RepeatedScores& scores = *results.policies[results.verified[0]].verified;
  scores.repeats = scores.ended_well = scores.met_target = 1;
  const std::string text = results_text(results, {});
  EXPECT_THAT(text, HasSubstr("  1  0.9500  0.0500         50     10.0    -0.0625\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("0 ± ")));
}

// Tables of 96 columns wrapped on terminals of 80.
TEST(RunResults, TablesFitTheTerminal) {
  for (const int width : {20, 60, 80, 100, 120}) {
    std::istringstream lines(results_text(some_results(), {.is_terminal = true, .width = width}));
    std::string line;
    for (std::getline(lines, line); std::getline(lines, line);) {
      const bool sentence = line.starts_with("Verified") || line.ends_with(".");
      EXPECT_LE(display_width(line), sentence ? 200U : static_cast<std::size_t>(width)) << line;
    }
  }
  const std::string at_60 = results_text(some_results(), {.is_terminal = true, .width = 60});
  EXPECT_THAT(at_60, HasSubstr("policy                    top-1\n"));
  EXPECT_THAT(at_60, HasSubstr("left out for want of room: "));
}

TEST(RunResults, AnUnknownCampaignIsAnError) {
  const StoredCampaign campaign;
  const auto results = collect_results(campaign.stored, sha256("another"));
  ASSERT_FALSE(results);
  EXPECT_THAT(results.error().message, HasSubstr("the store has no campaign"));
}

TEST(RunResults, OpenTrialsAreCountedNotRanked) {
  StoredCampaign campaign;
  campaign.stored.trials[0].state = TrialState::kRunning;
  const auto results = collect_results(campaign.stored, some_experiment().hash).value();
  EXPECT_EQ(results.open, 1);
  EXPECT_EQ(results.policies.size(), 2U);
}

TEST(RunResults, JsonHasBestPoliciesAndVerification) {
  const nlohmann::json json = to_json(some_results());
  EXPECT_EQ(json["campaign"]["state"], "done");
  EXPECT_EQ(json["policies"].size(), 3U);
  EXPECT_EQ(json["policies"][0]["trial"], 2);
  EXPECT_EQ(json["policies"][0]["rank"], 1);
  EXPECT_EQ(json["policies"][0]["top1"], 0.95);
  EXPECT_EQ(json["policies"][0]["target_iteration"], 50);
  EXPECT_EQ(json["policies"][0]["repeats"].size(), 2U);
  EXPECT_EQ(json["policies"][2]["outcome"], "diverged");
  EXPECT_EQ(json["verified"].size(), 1U);
  EXPECT_EQ(json["verified"][0]["repeats"], 2);
  EXPECT_NEAR(json["verified"][0]["top1_mean"].get<double>(), 0.95, 1e-12);
  EXPECT_EQ(json["best"]["policy"]["k0"], 0.1);
}

TEST(RunResults, CsvHasALineForEachTrial) {
  const std::string csv = to_csv(some_results());
  EXPECT_EQ(std::ranges::count(csv, '\r'), 1 + 3 + 2);
  EXPECT_THAT(
      csv,
      HasSubstr(
          "\r\n1,2,search,0,\"the\nhigh, one\",\"{\"\"function\"\":\"\"fix\"\",\"\"k0\"\":0.1}\","
          "completed,100,0.95,50,0.94,"));
  EXPECT_THAT(csv, HasSubstr(",target_seconds\r\n"));
  EXPECT_THAT(csv, HasSubstr(",5\r\n"));
}

TEST(RunResults, BestPolicyIsYamlWithItsOrigin) {
  EXPECT_EQ(best_policy_yaml(some_results()),
            "# the high, one: FIX k0=0.1 (trial 2 of two)\nfunction: fix\nk0: 0.1\n");
}

TEST(RunResults, ChartsShowThoseThatEndedWell) {
  const Chart chart = accuracy_chart(some_results());
  ASSERT_EQ(chart.series.size(), 2U);
  EXPECT_EQ(chart.series[0].name, "2: the high, one: FIX k0=0.1");
  EXPECT_EQ(chart.series[0].x, (std::vector<double>{50, 100}));  // not the untrained
  EXPECT_EQ(chart.series[0].y, (std::vector<double>{0.95, 0.94}));
  EXPECT_EQ(learning_rate_chart(some_results()).series[1].y, std::vector<double>(100, 0.01));
}

// Runs that a rule had stopped counted as if they had been trained to their end, and what an
// earlier campaign had trained as if this one had.
TEST(RunResults, WhatWasNotTrainedIsExplained) {
  StoredCampaign campaign;
  StoredState& stored = campaign.stored;
  const auto results = [&] { return collect_results(stored, some_experiment().hash).value(); };
  const TrainingCost plain = results().cost;
  EXPECT_EQ(plain.asked, 500);
  EXPECT_EQ(plain.early, 83) << "one diverged at 17";
  EXPECT_EQ(plain.trained, 417);
  EXPECT_EQ(
      result_notes(results()).at(0),
      "417 of the 500 iterations asked for were trained (83.4 %): 83 were left when runs ended "
      "early.");
  stored.jobs[2].outcome = Outcome{OutcomeKind::kCompleted, 100, {}, ""};
  EXPECT_EQ(result_notes(results()).at(0),
            "500 of the 500 iterations asked for were trained (100.0 %).")
      << "said also where nothing was spared";
  stored.jobs[2].outcome = Outcome{OutcomeKind::kDiverged, 17, {}, ""};
  stored.trials[1].job = stored.trials[0].job;  // the same run
  EXPECT_EQ(results().cost.shared, 100);
  EXPECT_EQ(results().cost.trained, 317);
  EXPECT_EQ(result_notes(results()).at(0),
            "317 of the 500 iterations asked for were trained (63.4 %): 100 are beginnings that "
            "runs share, 83 were left when runs ended early.");
  for (TrialRecord& trial : stored.trials) trial.campaign = CampaignId{2};
  stored.campaigns.at(0).id = CampaignId{2};
  TrialRecord earlier = stored.trials[0];
  earlier.campaign = CampaignId{1};
  stored.trials.insert(stored.trials.begin(), earlier);
  EXPECT_EQ(results().cost.known, 100);
  EXPECT_EQ(results().cost.trained, 217);
  EXPECT_EQ(results().policies.at(0).search.iterations_paid, 0) << "it was there";
}

// A name is a person's text, and a browser would read it as markup.
TEST(Report, ThePageEscapesWhatPeopleWrite) {
  CampaignResults results = some_results();
  results.campaign.name = "<b>&name";
  results.policies.at(0).name = "<script>alert(1)</script>";
  const std::string page = report_page(results);
  EXPECT_THAT(page, HasSubstr("<h1>&lt;b&gt;&amp;name</h1>"));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
}

TEST(Report, ThePageHasEveryTableAndPlot) {
  const std::string page = report_page(some_results());
  EXPECT_THAT(page, HasSubstr("<tr class=\"good\"><td class=\"right\">1</td>"));
  EXPECT_THAT(page, HasSubstr("<tr class=\"bad\"><td class=\"right\">3</td>"));
  EXPECT_THAT(page, HasSubstr("0.9500 ± 0.0141"));
  EXPECT_THAT(page, HasSubstr("validation accuracy"));
  EXPECT_THAT(page, HasSubstr("learning rate of the best policies"));
  EXPECT_THAT(page, HasSubstr("\nfunction: fix\nk0: 0.1\n</pre>"));
}

TEST(Report, SaysHowFarTheCampaignIs) {
  CampaignResults results = some_results();
  EXPECT_EQ(state_line(results), "done; 5 trials have ended");
  results.open = 3;
  results.campaign.state = CampaignState::kSearching;
  results.campaign.paused = true;
  results.campaign.busy_seconds = 2.5;
  EXPECT_EQ(state_line(results),
            "searching, paused, 2.5 s of work; 5 trials have ended, 3 have not");
}

}  // namespace
}  // namespace lrtune
