// What `lrtune policies` and `lrtune why` print about the sample store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

#include "common/config/experiment.h"
#include "coordinator/cli/why.h"
#include "coordinator/core/decisions.h"
#include "coordinator/report/policies_mixed.h"
#include "coordinator/report/policies_text.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class SampleStore : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    const auto store = SqliteStore::open(path());
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->commit(sample_records()));
  }
  std::string path() const { return folder_.file("a.db"); }
  std::vector<PolicyEntry> entries(const PolicyFilter& filter = {},
                                   RankAt at = RankAt::kBest) const {
    return queries().policies(filter, at).value();
  }
  PolicyQueries queries() const { return PolicyQueries::open(path()).value(); }

 private:
  TemporaryFolder folder_{memory_folder()};
};

std::vector<std::int64_t> ids(const std::vector<PolicyEntry>& entries) {
  std::vector<std::int64_t> ids;
  for (const PolicyEntry& entry : entries) ids.push_back(entry.id);
  return ids;
}

TEST_F(SampleStore, ListsPolicies) {
  EXPECT_EQ("\n" + policies_table(entries(), false, {}), R"(
lenet on mnist, momentum, 2000 iterations
id  policy                                                         runs            top-1    loss  to target  seconds  loss diff
 1  FIX k0=0.1                                                        1           0.1135  0.8875          -     62.0    -0.0010
 2  FIX k0=0.01                                                       1           0.9711  0.0389       2000     62.0    -0.0100
 3  FIX k0=0.001                                                      1           0.9512  0.0688          -     62.0    -0.0200
 4  SIN2 k0=0.01 k1=0.06 l=500                                        3  0.9829 ± 0.0004  0.0491       1500     62.0    -0.0320
 5  COS k0=0.01 k1=0.06 l=500                                         3  0.9834 ± 0.0002  0.0456       1000     62.0    -0.0290
 6  composite: TRI k0=0.01 k1=0.06 l=500 until 1500; FIX k0=0.001     1           0.9815  0.0335       2000     62.0    -0.0150
 7  FIX k0=5                                                        0/1                -       -          -        -          -
 8  FIX k0=0.02                                                     0/1                -       -          -        -          -
)");
}

// Short runs of a halving stood among whole ones, and nothing told them apart.
TEST_F(SampleStore, RunsOfOneLengthAlone) {
  EXPECT_EQ(entries({.iterations = 2000}).size(), entries().size());
  EXPECT_TRUE(entries({.iterations = 500}).empty());
}

// What a run plan counts to is its own; whoever asks may want to know of another target.
TEST_F(SampleStore, ScoresCountToTheTargetThatIsAskedFor) {
  const Target easy{Measure::kTop1, 0.5};
  for (const PolicyEntry& entry : entries({.target = easy})) {
    for (const PolicyRun& run : entry.runs) {
      const bool reaches = run.scores.measured && run.scores.best.evaluated.top1 >= 0.5;
      EXPECT_EQ(run.scores.target_iteration.has_value(), reaches) << entry.description;
    }
  }
}

// Policies of different trainings say in each line what was trained.
TEST_F(SampleStore, NamesTheTrainingWhereItDiffers) {
  std::vector<PolicyEntry> two = entries();
  two.resize(2);
  two[1].train.model.name = "resnet32";
  two[1].plan.iterations = 64000;
  EXPECT_EQ("\n" + policies_table(two, true, {}), R"(
rank  id  policy       trained                      iterations  runs   top-1    loss  to target  seconds  loss diff
   1   1  FIX k0=0.1   lenet on mnist, momentum           2000     1  0.1135  0.8875          -     62.0    -0.0010
   2   2  FIX k0=0.01  resnet32 on mnist, momentum       64000     1  0.9711  0.0389       2000     62.0    -0.0100
)");
}

TEST_F(SampleStore, ShowsOnePolicy) {
  EXPECT_EQ("\n" + policy_page(queries().policy(4, RankAt::kBest).value(), RankAt::kBest, {}), R"(
# policy 4: SIN2 k0=0.01 k1=0.06 l=500
function: sin2
k0: 0.01
k1: 0.06
l: 500
#
# lenet on mnist, batch 100, momentum 0.9, weight decay 0.0005
# 2000 iterations, evaluated on the test part, target top1 0.97
# trial  campaign  phase   repeat  result   top-1    at   final    loss  to target  seconds  loss diff
#     4         1  search       0  done    0.9833  1500  0.9833  0.0477       1500     62.0    -0.0310
#     9         1  verify       1  done    0.9829  1500  0.9829  0.0501       1500     62.0    -0.0330
#    11         1  verify       2  done    0.9825  1500  0.9825  0.0495       1500     62.0    -0.0320
# top-1 0.9829 ± 0.0004, loss 0.0491 ± 0.0012 over 3 runs
# trial  confidence  deviation  over classes  classes left out
#     4      0.8933     0.1000        0.0500                 0
#     9      0.8932     0.1000        0.0500                 0
#    11      0.8930     0.1000        0.0500                 0
)");
}

TEST_F(SampleStore, RanksByEachMeasure) {
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(ids(best_first(entries(), RankBy::kTop1)), (Ids{5, 4, 6, 2, 3, 1, 7, 8}));
  EXPECT_EQ(ids(best_first(entries(), RankBy::kLoss)), (Ids{6, 2, 5, 4, 3, 1, 7, 8}));
  EXPECT_EQ(ids(best_first(entries(), RankBy::kCost)), (Ids{5, 4, 2, 6, 3, 1, 7, 8}));
  EXPECT_EQ(ids(best_first(entries(), RankBy::kRobustness)), (Ids{1, 2, 6, 3, 5, 4, 7, 8}));
  EXPECT_EQ(ids(best_first(entries(), RankBy::kSeconds)), (Ids{5, 4, 2, 6, 3, 1, 7, 8}));
}

// Of the policies of ListsPolicies: 5 has the highest top-1 and the fewest iterations to the
// target; 6, 2 and 1 have ever smaller loss differences. 4 and 3 are beaten; 7 and 8 diverged and
// are not compared.
TEST_F(SampleStore, DrawsTheParetoView) {
  const Chart chart = pareto_chart(entries(), 0);
  EXPECT_EQ(chart.title, "Policies that no other beats: lenet on mnist, momentum, 2000 iterations");
  EXPECT_EQ(chart.y_label, "top-1");
  EXPECT_EQ(chart.x_label, "iterations to the target; missed: twice the run's");
  std::vector<std::string> marks;
  for (const Series& series : chart.series) {
    for (const PointText& point : series.points)
      marks.push_back((series.muted ? "beaten " : "") + point.mark);
  }
  EXPECT_THAT(marks, testing::ElementsAre("5", "6", "2", "1", "beaten 3", "beaten 4"));
  EXPECT_EQ(chart.series[0].name,
            "5  COS k0=0.01 k1=0.06 l=500: top-1 0.9834, 1000 to the target, loss diff -0.0290");
  EXPECT_THAT(chart.series[0].x, testing::ElementsAre(1000));
  EXPECT_THAT(chart.series[0].y, testing::ElementsAre(testing::DoubleNear(0.9834, 5e-5)));
  EXPECT_EQ(chart.series[3].name, "1  FIX k0=0.1: top-1 0.1135, target not met, loss diff -0.0010");
  EXPECT_THAT(chart.series[3].x, testing::ElementsAre(4000));
  EXPECT_EQ(chart.series[4].name, "beaten by another: 2");
  EXPECT_TRUE(chart.series[4].muted);
  EXPECT_THAT(chart.series[4].points[1].note, StartsWith("4  SIN2 "));
}

// Regression: one policy with two run plans of one length stood there twice, the same to the
// letter.
TEST_F(SampleStore, RunPlansThatWouldReadTheSameAreTold) {
  std::vector<PolicyEntry> two = {entries().front(), entries().front()};
  two[1].plan.max_seconds = 0.5;
  two[1].plan.target = Target{Measure::kTop1, 0.9};
  two[1].plan.stop_at_target = true;
  const std::string table = policies_table(two, true, {});
  EXPECT_THAT(table, HasSubstr("FIX k0=0.1 [on "));
  EXPECT_THAT(table, HasSubstr(", ends at top1 0.9, at most 0.5 s]"));
  two[1].plan.iterations = 1;
  EXPECT_THAT(policies_table(two, true, {}), testing::Not(HasSubstr("[on")));
}

TEST_F(SampleStore, AParetoChartNamesAsManyAsTheTable) {
  const Chart chart = pareto_chart(entries(), 2);
  std::vector<bool> named;
  for (const Series& series : chart.series) named.push_back(!series.name.empty());
  EXPECT_THAT(named, testing::ElementsAre(true, true, false, false, true));
  EXPECT_TRUE(pareto_chart({}, 0).series.empty());
}

// Without a target all cost the same, so that loss differences tell policies apart.
TEST_F(SampleStore, AParetoChartOfPoliciesOfOneCostShowsLossDifferences) {
  std::vector<PolicyEntry> three = entries();
  three.resize(3);
  for (PolicyEntry& entry : three) entry.scores.met_target = 0;
  three[2].train.model.name = "resnet32";
  const Chart chart = pareto_chart(three, 0);
  EXPECT_EQ(chart.title, "Policies that no other beats");
  EXPECT_EQ(chart.x_label, "size of the loss difference");
  EXPECT_THAT(chart.series.at(0).x, testing::ElementsAre(testing::DoubleNear(0.01, 1e-9)));
}

TEST_F(SampleStore, Filters) {
  EXPECT_EQ(entries({"mnist", "lenet", "momentum"}).size(), 8U);
  EXPECT_EQ(entries({"mnist", "", ""}).size(), 8U);
  EXPECT_EQ(entries({"cifar10", "", ""}).size(), 0U);
  EXPECT_EQ(entries({"", "resnet32", ""}).size(), 0U);
  EXPECT_EQ(entries({"", "", "sgd"}).size(), 0U);
}

TEST_F(SampleStore, JsonHasEveryRun) {
  const nlohmann::json list = policies_json(entries(), RankAt::kBest);
  ASSERT_EQ(list.size(), 8U);
  EXPECT_EQ(list[3]["runs"].size(), 3U);
  EXPECT_EQ(list[3]["policy"]["function"], "sin2");
  EXPECT_EQ(list[3]["train"]["dataset"]["name"], "mnist");
  EXPECT_EQ(list[3]["run"]["iterations"], 2000);
  EXPECT_EQ(list[3]["runs"][1]["phase"], "verify");
  EXPECT_EQ(list[3]["runs"][1]["scores"]["top1_iteration"], 1500);
  EXPECT_EQ(list[6]["runs"][0]["outcome"], "diverged");
  EXPECT_TRUE(list[7]["runs"][0]["scores"]["top1"].is_null());
}

// Two trials of one stage job are one run, whoever asked for it.
TEST_F(SampleStore, SharedJobsCountOnce) {
  std::vector<Record> again;
  for (const Record& record : sample_records()) {
    if (const auto* trial = std::get_if<TrialRecord>(&record);
        trial != nullptr && trial->id.value == 4) {
      TrialRecord copy = *trial;
      copy.id.value = 100;
      copy.number = 99;
      copy.state = TrialState::kDone;
      again.emplace_back(copy);
      copy.id.value = 101;
      copy.number = 100;
      copy.job.value = 101;
      copy.state = TrialState::kWaiting;
      again.emplace_back(copy);
      again.emplace_back(JobRecord{.id = JobId{101}});
      break;
    }
  }
  {
    const auto store = SqliteStore::open(path());
    ASSERT_TRUE((*store)->commit(again));
  }
  const PolicyEntry entry = entries().at(3);
  EXPECT_EQ(entry.runs.size(), 3U);
  EXPECT_EQ(entry.open, 1);
}

// Regression: one seed counted twice, with M-opt measured and without, or once as the schedule that
// a reactive policy realised: the mean of the two was that of two runs, with a deviation of
// nothing.
TEST_F(SampleStore, OneSeedCountsOnce) {
  const PolicyEntry before = entries().at(3);
  std::vector<Record> again;
  for (const Record& record : sample_records()) {
    if (const auto* trial = std::get_if<TrialRecord>(&record);
        trial != nullptr && trial->id.value == 4) {
      TrialRecord copy = *trial;
      copy.id.value = 100;
      copy.number = 99;
      copy.plan.m_opt_every = 10;
      copy.job.value = 101;
      again.emplace_back(copy);
    }
    if (const auto* job = std::get_if<JobRecord>(&record); job != nullptr && job->id.value == 4) {
      JobRecord copy = *job;
      copy.id.value = 101;
      copy.key = sha256("with M-opt");
      again.emplace_back(copy);
    }
  }
  {
    const auto store = SqliteStore::open(path());
    ASSERT_TRUE((*store)->commit(again));
  }
  const PolicyEntry entry = entries().at(3);
  EXPECT_EQ(entry.runs.size(), before.runs.size());
  EXPECT_EQ(entry.scores.top1.mean, before.scores.top1.mean);
  EXPECT_EQ(entries().size(), 8U) << "and no policy is there twice";
}

// Search trials `late` and the two before them, with a verification's trial in between.
std::vector<Record> extended_campaign() {
  const Experiment experiment = experiment_from_yaml(R"(
name: extended
train: {dataset: {name: mnist}, model: lenet, optimizer: {name: sgd}, batch: 100}
run: {iterations: 2000, evaluate: {every: 500}}
seed: 7
search:
  method: list
  policies:
    - {name: first, function: fix, k0: 0.31}
    - {name: second, function: fix, k0: 0.32}
    - {name: late, function: fix, k0: 0.33}
verify: {top: 1, repeats: 1}
)",
                                                     "extended.yaml")
                                    .value();
  CampaignRecord campaign{.id = CampaignId{2}, .name = "extended", .hash = experiment.hash};
  campaign.experiment = experiment.normalised;
  campaign.extensions = 1;
  std::vector<Record> records{campaign};
  TrialRecord trial;
  for (const Record& record : sample_records()) {
    if (const auto* one = std::get_if<TrialRecord>(&record)) trial = *one;
  }
  trial.campaign = campaign.id;
  trial.phase = TrialPhase::kSearch;
  trial.verifies = {};
  trial.repeat = 0;
  trial.number = -1;
  for (const double k0 : {0.31, 0.32, 0.31, 0.33}) {
    ++trial.id.value;
    ++trial.number;
    const bool verifies = trial.number == 2;
    trial.phase = verifies ? TrialPhase::kVerify : TrialPhase::kSearch;
    trial.verifies = verifies ? TrialId{trial.id.value - 2} : TrialId{};
    trial.policy = Policy{{Segment{.function = {.k0 = k0}}}};
    records.emplace_back(trial);
  }
  return records;
}

// Bug: the trial's number stood for its candidate, so that it had no name or another's.
TEST_F(SampleStore, AnExtendedCampaignsPoliciesHaveTheirOwnNames) {
  ASSERT_TRUE(SqliteStore::open(path()).value()->commit(extended_campaign()));
  std::vector<std::string> names;
  for (const PolicyEntry& entry : entries())
    names.insert(names.end(), entry.names.begin(), entry.names.end());
  EXPECT_THAT(names, testing::ElementsAre("first", "second", "late"));
}

TEST_F(SampleStore, TellsWhy) {
  const TrialStory story = queries().story(TrialId{4}).value();
  std::vector<std::string> codes;
  std::string wanted =
      "Trial 4, number 3 of campaign 1 (mnist-lenet): SIN2 k0=0.01 k1=0.06 l=500 (done)\n";
  for (const DecisionRecord& decision : story.decisions) {
    codes.push_back(decision.code);
    wanted += "2023-11-14 22:13:20  " + sentence(decision) + "\n";
  }
  const std::vector<std::string> all = {"created", "assigned", "completed",
                                        "ranked",  "verified", "done"};
  EXPECT_EQ(codes, all);
  EXPECT_EQ(story_text(story, {}), wanted);
}

TEST_F(SampleStore, TellsWhyATrialFailed) {
  const std::string text = story_text(queries().story(TrialId{8}).value(), {});
  EXPECT_THAT(text,
              StartsWith("Trial 8, number 7 of campaign 1 (mnist-lenet): FIX k0=0.02 (failed)\n"));
  EXPECT_THAT(
      text,
      HasSubstr("Trial 8 failed at iteration 0: 3 attempts ended with their worker's death."));
}

TEST_F(SampleStore, StoryAsJson) {
  const nlohmann::json story = story_json(queries().story(TrialId{9}).value());
  EXPECT_EQ(story["verifies"], 4);
  EXPECT_EQ(story["repeat"], 1);
  EXPECT_EQ(story["decisions"][0]["trial"], nullptr);
  EXPECT_EQ(story["decisions"][1]["code"], "assigned");
  EXPECT_EQ(story["decisions"][1]["numbers"]["worker"], "local/0");
  EXPECT_EQ(story["decisions"][1]["sentence"],
            "Trial 9 was assigned to worker local/0 as attempt 1.");
}

TEST_F(SampleStore, SaysWhatItHas) {
  const auto policy = queries().policy(99, RankAt::kBest);
  ASSERT_FALSE(policy);
  EXPECT_THAT(policy.error().message, HasSubstr("has no policy 99; it has 1 to 8"));
  const auto story = queries().story(TrialId{13});
  ASSERT_FALSE(story);
  EXPECT_THAT(story.error().message, HasSubstr("has no trial 13; it has 1 to 12"));
}

}  // namespace
}  // namespace lrtune
