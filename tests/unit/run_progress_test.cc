#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/report/progress.h"
#include "coordinator/report/text_table.h"

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CampaignView some_view() {
  CampaignView view;
  view.name = "mnist-lenet";
  view.state = CampaignState::kSearching;
  view.trials = view.trials_most = 40;
  view.done = 12;
  view.diverged = 1;
  view.iterations_done = 125;
  view.iterations_total = view.iterations_most = 400;
  view.best_top1 = 0.99214;
  view.best_trial = TrialId{7};
  view.running.push_back({TrialId{13}, 12, "SIN2 k0=0.01 k1=0.06 l=2000", "user@node7/worker-1", 1,
                          3500, 10000, 0.9876});
  view.running.push_back({TrialId{14}, 13, "FIX k0=0.1", "worker-2", 1, 0, 10000, {}});
  return view;
}

TEST(Progress, TimesAreShortAndRounded) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(7.4), "0:07");
  EXPECT_EQ(clock_text(59.6), "1:00");
  EXPECT_EQ(clock_text(754), "12:34");
  EXPECT_EQ(clock_text(3723), "1:02:03");
}

TEST(Progress, TimeLeftCountsOnlyTheWorkOfThisRun) {
  TimeLeft left;
  CampaignView view;
  EXPECT_FALSE(left.estimate(view, 0)) << "nothing is known before the trials are";
  view.iterations_total = view.iterations_most = 1000;
  view.iterations_done = 600;  // by an earlier run
  EXPECT_FALSE(left.estimate(view, 2));
  view.iterations_done = 700;
  EXPECT_DOUBLE_EQ(left.estimate(view, 12).value(), 30);  // 10 a second since second 2
  view.iterations_done = 1000;
  EXPECT_DOUBLE_EQ(left.estimate(view, 20).value(), 0);
}

TEST(Progress, BlockShowsCountsBarBestAndRunningTrials) {
  const auto lines = progress_block(some_view(), {252, 560.0}, {true, 100, false});
  EXPECT_THAT(
      lines,
      ElementsAre(
          "mnist-lenet: searching, 12/40 trials, 1 diverged",
          "[############............................]  31 %  4:12 elapsed, about 9:20 left",
          "best top-1 0.9921 (trial 7)",
          "  worker-1  trial 13   SIN2 k0=0.01 k1=0.06 l=2000                        3500/10000"
          "  top-1 0.9876",
          "  worker-2  trial 14   FIX k0=0.1                                            0/10000"
          "              "));
}

TEST(Progress, BlockFitsEveryWidth) {
  CampaignView view = some_view();
  view.waiting_for = "no worker offers device cuda with 1 thread per slot";
  for (int width = 1; width <= 140; ++width) {
    for (const std::string& line : progress_block(view, {252, 560.0}, {true, width, false})) {
      EXPECT_LE(display_width(line), static_cast<std::size_t>(width)) << line;
    }
  }
}

TEST(Progress, BlockNamesWhatIsWaitedForAndCountsTrialsThatDoNotFit) {
  CampaignView view = some_view();
  view.waiting_for = "no worker is connected";
  view.running.assign(15, view.running[1]);
  const auto lines = progress_block(view, {1, {}}, {true, 80, false});
  ASSERT_EQ(lines.size(), 4U + 12U + 1U);
  EXPECT_EQ(lines[3], "waiting: no worker is connected");
  EXPECT_EQ(lines.back(), "  and 3 more run");
}

TEST(Progress, ColourChangesNoText) {
  const auto plain = progress_block(some_view(), {5, {}}, {true, 80, false});
  const auto colour = progress_block(some_view(), {5, {}}, {true, 80, true});
  ASSERT_EQ(plain.size(), colour.size());
  EXPECT_EQ(colour[0], "\x1b[1m" + plain[0] + "\x1b[0m");
  EXPECT_THAT(plain[0], testing::Not(testing::HasSubstr("\x1b")));
}

TEST(Progress, PlainLinesComeOnChangesAndEveryTenSeconds) {
  PlainProgress progress;
  CampaignView view = some_view();
  view.running.clear();
  view.done = 0;
  EXPECT_THAT(progress.lines(view, {0, {}}), ElementsAre("mnist-lenet: searching"));
  EXPECT_THAT(progress.lines(view, {0.2, {}}), IsEmpty());
  view.done = 1;
  EXPECT_THAT(progress.lines(view, {0.4, {}}), IsEmpty()) << "at most one a second";
  const std::string counts =
      "mnist-lenet: 1/40 trials, 1 diverged, 31 % of the iterations, best top-1 0.9921 (trial 7), ";
  EXPECT_THAT(progress.lines(view, {1.2, 90.0}),
              ElementsAre(counts + "0:01 elapsed, about 1:30 left"));
  EXPECT_THAT(progress.lines(view, {11.0, {}}), IsEmpty());
  EXPECT_THAT(progress.lines(view, {11.2, {}}), ElementsAre(counts + "0:11 elapsed"));
}

TEST(Progress, PlainLinesEndWithTheCountsOfTheLastPhase) {
  PlainProgress progress;
  CampaignView view = some_view();
  progress.lines(view, {5, {}});
  view.state = CampaignState::kDone;
  view.done = 40;
  view.iterations_done = view.iterations_total;
  EXPECT_THAT(progress.lines(view, {5.1, 0.0}),
              ElementsAre("mnist-lenet: done",
                          "mnist-lenet: 40/40 trials, 1 diverged, 100 % of the iterations, "
                          "best top-1 0.9921 (trial 7), 0:05 elapsed"));
}

TEST(Progress, NothingIsLeftOfWhatIsDone) {
  PlainProgress progress;
  CampaignView view = some_view();
  view.state = CampaignState::kDone;
  const auto lines = progress.lines(view, {5.1, 3.0});  // runs ended early
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[1], testing::EndsWith("0:05 elapsed"));
}

// The share of what was proposed so far said nothing, and fell each time that more was.
TEST(Progress, ASearchByResultsIsMeasuredByTheMostItMayComeTo) {
  CampaignView view = some_view();
  view.trials_most = 60;
  view.iterations_most = 1000;
  const auto lines = progress_block(view, {252, 560.0}, {true, 100, false});
  EXPECT_EQ(lines[0], "mnist-lenet: searching, 12 of at most 60 trials, 1 diverged");
  EXPECT_THAT(lines[1], testing::HasSubstr("]  12 %  4:12 elapsed"));
}

TEST(Progress, PlainLinesSayWhatIsWaitedForOnceItLasts) {
  PlainProgress progress;
  CampaignView view = some_view();
  view.trials = view.trials_most = view.done = 0;
  progress.lines(view, {0, {}});
  view.waiting_for = "no worker is connected";
  EXPECT_THAT(progress.lines(view, {0.1, {}}), IsEmpty()) << "workers need a moment to start";
  EXPECT_THAT(progress.lines(view, {5.2, {}}),
              ElementsAre("mnist-lenet: waiting: no worker is connected"));
  EXPECT_THAT(progress.lines(view, {6, {}}), IsEmpty()) << "once is enough";
}

TEST(Progress, CampaignsSideBySideAreShownAsOne) {
  CampaignView first = some_view();
  CampaignView second = some_view();
  second.state = CampaignState::kVerifying;
  second.best_top1 = 0.995;
  second.best_trial = TrialId{50};
  second.running.pop_back();  // of the two one that the first has too
  second.waiting_for = "no worker is connected";
  std::vector<CampaignView> views = {second, first};
  CampaignView both = together(views);
  EXPECT_EQ(both.name, "mnist-lenet (2 campaigns)");
  EXPECT_EQ(both.state, CampaignState::kSearching) << "the one that is furthest from its end";
  EXPECT_EQ(both.trials, 80);
  EXPECT_EQ(both.done, 24);
  EXPECT_EQ(both.iterations_most, 800);
  EXPECT_EQ(both.best_trial, TrialId{50});
  EXPECT_EQ(both.running.size(), 2U);
  EXPECT_EQ(both.waiting_for, "") << "something runs";
  views[1].state = CampaignState::kFailed;
  views[1].failure = "no data";
  for (CampaignView& view : views) view.running.clear();
  views[1].name = "other";
  both = together(views);
  EXPECT_EQ(both.name, "mnist-lenet and 1 more");
  EXPECT_EQ(both.state, CampaignState::kFailed);
  EXPECT_EQ(both.failure, "no data");
  EXPECT_EQ(both.waiting_for, "no worker is connected");
  views = {first};
  EXPECT_EQ(together(views).name, "mnist-lenet");
  for (CampaignView& view : views) view.state = CampaignState::kDone;
  EXPECT_EQ(together(views).state, CampaignState::kDone);
}

TEST(Progress, RedrawGoesUpRewritesAndErasesTheRest) {
  EXPECT_EQ(redraw(0, {"a", "b"}), "a\x1b[K\nb\x1b[K\n");
  EXPECT_EQ(redraw(2, {"c", "d"}), "\r\x1b[2Ac\x1b[K\nd\x1b[K\n");
  EXPECT_EQ(redraw(2, {"c"}), "\r\x1b[2Ac\x1b[K\n\x1b[J");
  EXPECT_EQ(redraw(2, {}), "\r\x1b[2A\x1b[J");
}

}  // namespace
}  // namespace lrtune
