#include "coordinator/search/adaptive_search.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

using Kind = HalvingAction::Kind;

const Experiment& space() {
  static const Experiment experiment = [] {
    std::string text = test::base_experiment();
    text = text.substr(0, text.find("search:")) +
           "search:\n"
           "  method: random\n"
           "  count: 1\n"
           "  policies:\n"
           "    - {function: fix, k0: {log: [0.001, 1]}}\n"
           "    - {function: [tri, sin], k0: 0, k1: {log: [0.02, 0.5]}, l: [100, 200]}\n";
    auto read = experiment_from_yaml(text, "e.yaml");
    EXPECT_TRUE(read) << read.error().message;
    return read.value_or(Experiment{});
  }();
  return experiment;
}

AdaptivePlan arbitrary_plan() {
  AdaptivePlan plan;
  plan.method =
      *rc::gen::element(AdaptiveMethod::kHalving, AdaptiveMethod::kAsha, AdaptiveMethod::kTpe);
  plan.inner = *rc::gen::element(SearchMethod::kRandom, SearchMethod::kSobol);
  plan.halving.candidates = *rc::gen::inRange<std::int64_t>(1, 30);
  const bool rungs = plan.method != AdaptiveMethod::kTpe;
  plan.halving.rungs = rungs ? halving_rungs(10, 90, 3) : std::vector<std::int64_t>{90};
  plan.tpe.startup = 4;
  return plan;
}

// A run with some slots, in whose course results come in an arbitrary order.
std::vector<SearchLogEntry> arbitrary_log(AdaptiveSearch& search) {
  std::vector<SearchLogEntry> log;
  std::vector<HalvingAction> running;
  const auto slots = *rc::gen::inRange<std::size_t>(1, 6);
  while (true) {
    if (running.size() < slots) {
      SearchDecision decision = search.next();
      if (decision.action.kind == Kind::kDone && running.empty()) return log;
      if (decision.action.kind == Kind::kStart || decision.action.kind == Kind::kPromote) {
        running.push_back(decision.action);
        log.push_back({std::nullopt, std::move(decision)});
        continue;
      }
    }
    const auto which = running.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(running));
    const int value = *rc::gen::inRange(-1, 6);
    const RungResult result{which->candidate, which->rung,
                            value < 0 ? std::nullopt : std::optional<double>(value)};
    running.erase(which);
    search.observe(result);
    log.push_back({result, {}});
  }
}

RC_GTEST_PROP(AdaptiveSearchProperty, EveryDecisionIsMadeAgainFromTheLog, ()) {
  const AdaptivePlan plan = arbitrary_plan();
  AdaptiveSearch search(space(), plan);
  const auto log = arbitrary_log(search);
  AdaptiveSearch again(space(), plan);
  RC_ASSERT(!replay(again, log));
  RC_ASSERT(again.next() == search.next());
}

// A restart anywhere goes on as the run without one did.
RC_GTEST_PROP(AdaptiveSearchProperty, ABeginningOfTheLogIsEnoughToGoOn, ()) {
  const AdaptivePlan plan = arbitrary_plan();
  AdaptiveSearch search(space(), plan);
  const auto log = arbitrary_log(search);
  const auto cut = *rc::gen::inRange<std::size_t>(0, log.size());
  AdaptiveSearch again(space(), plan);
  RC_ASSERT(!replay(again, std::span(log).first(cut)));
  for (const SearchLogEntry& entry : std::span(log).subspan(cut)) {
    if (entry.result) {
      again.observe(*entry.result);
    } else {
      RC_ASSERT(again.next() == entry.decision);
    }
  }
}

RC_GTEST_PROP(AdaptiveSearchProperty, AChangedDecisionIsFound, ()) {
  const AdaptivePlan plan = arbitrary_plan();
  AdaptiveSearch search(space(), plan);
  auto log = arbitrary_log(search);
  std::size_t changed = *rc::gen::inRange<std::size_t>(0, log.size());
  while (log[changed].result) --changed;  // the first entry is a decision
  ++log[changed].decision.action.candidate;
  AdaptiveSearch again(space(), plan);
  const auto difference = replay(again, log);
  RC_ASSERT(difference.has_value());
  RC_ASSERT(difference->entry == changed);
  RC_ASSERT(difference->recorded == log[changed].decision);
}

RC_GTEST_PROP(AdaptiveSearchProperty, NoSearchComesToMoreThanItsMost, ()) {
  AdaptivePlan plan = arbitrary_plan();
  RC_PRE(plan.method != AdaptiveMethod::kAsha);  // what it promotes is known by its results alone
  if (*rc::gen::arbitrary<bool>()) {
    plan.method = AdaptiveMethod::kTree;
    plan.tries = *rc::gen::inRange<std::int64_t>(1, 5);
    plan.keep = *rc::gen::inRange<std::int64_t>(1, 4);
  }
  AdaptiveSearch search(space(), plan);
  SearchExtent extent;
  for (const SearchLogEntry& entry : arbitrary_log(search)) {
    if (entry.result) continue;
    const auto& [kind, candidate, rung] = entry.decision.action;
    const auto& rungs = plan.halving.rungs;
    extent.candidates += kind == Kind::kStart ? 1 : 0;
    extent.iterations += rungs[rung] - (rung > 0 ? rungs[rung - 1] : 0);
  }
  const SearchExtent most = most_of(plan);
  RC_ASSERT(extent.candidates <= most.candidates);
  RC_ASSERT(extent.iterations <= most.iterations);
}

// 8 paths to 150, then twice the best 2 as they are and with 8 new functions each.
TEST(AdaptiveSearch, TheMostOfATree) {
  AdaptivePlan plan;
  plan.method = AdaptiveMethod::kTree;
  plan.halving.rungs = {150, 300, 450};
  plan.tries = 8;
  plan.keep = 2;
  EXPECT_EQ(most_of(plan).candidates, 8 + 16 + 16);
  EXPECT_EQ(most_of(plan).iterations, 8 * 150 + 2 * 18 * 150);
}

TEST(AdaptiveSearch, TheMostOfHalvingAndOfTpe) {
  AdaptivePlan plan;
  plan.halving = {.candidates = 9, .rungs = {10, 30, 90}, .eta = 3};
  EXPECT_EQ(most_of(plan).candidates, 9);
  EXPECT_EQ(most_of(plan).iterations, 9 * 10 + 3 * 20 + 1 * 60);
  plan.method = AdaptiveMethod::kTpe;
  plan.halving = {.candidates = 9, .rungs = {90}, .eta = 3};
  EXPECT_EQ(most_of(plan).iterations, 9 * 90);
}

TEST(AdaptiveSearch, AResultOfNothingIsADifference) {
  AdaptivePlan plan;
  plan.halving = {.candidates = 2, .rungs = {1}, .eta = 2};
  AdaptiveSearch search(space(), plan);
  const std::vector<SearchLogEntry> log = {{RungResult{0, 0, 1.0}, {}}};
  const auto difference = replay(search, log);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->entry, 0u);
}

// All candidates of TPE are different where the space allows it, and each decision says what it
// knew.
TEST(AdaptiveSearch, TpeSaysWhatItKnew) {
  AdaptivePlan plan;
  plan.method = AdaptiveMethod::kTpe;
  plan.halving = {.candidates = 12, .rungs = {90}, .eta = 3};
  plan.tpe.startup = 4;
  AdaptiveSearch search(space(), plan);
  std::set<std::string> policies;
  for (std::int64_t i = 0; i < 12; ++i) {
    const SearchDecision decision = search.next();
    EXPECT_EQ(decision.action, (HalvingAction{Kind::kStart, i, 0}));
    EXPECT_EQ(decision.known["observed"], i);
    EXPECT_EQ(decision.known["good"], i < 4 ? 0 : i < 7 ? 1 : 2);  // 0.15 of them, rounded up
    EXPECT_EQ(decision.known["policy"], search.policy_of(i).dump());
    policies.insert(decision.known["policy"]);
    search.observe({i, 0, static_cast<double>(i % 5)});
  }
  EXPECT_EQ(search.next().action.kind, Kind::kDone);
  EXPECT_EQ(policies.size(), 12u);
}

}  // namespace
}  // namespace lrtune
