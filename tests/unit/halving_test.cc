#include "coordinator/search/halving.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace lrtune {
namespace {

using Kind = HalvingAction::Kind;
using Rungs = std::vector<std::int64_t>;

TEST(HalvingRungs, ByHand) {
  EXPECT_EQ(halving_rungs(100, 2700, 3), (Rungs{100, 300, 900, 2700}));
  EXPECT_EQ(halving_rungs(50, 400, 3), (Rungs{50, 150, 400}));  // 400 / 150 = 2.67
  EXPECT_EQ(halving_rungs(100, 400, 3), (Rungs{100, 400}));     // 400 / 300 = 1.33 is below 1.73
  EXPECT_EQ(halving_rungs(7, 7, 2), (Rungs{7}));
  EXPECT_EQ(halving_rungs(1, 1'000'000'000'000, 2).size(),
            41u);  // 2^39 is 0.55 of it; 1 ... 2^39, and it
}

RC_GTEST_PROP(HalvingRungsProperty, AscendToTheLongest, ()) {
  const auto low = *rc::gen::inRange<std::int64_t>(1, 1000);
  const auto high = *rc::gen::inRange<std::int64_t>(low, 10'000'000);
  const auto eta = *rc::gen::inRange<std::int64_t>(2, 10);
  const Rungs rungs = halving_rungs(low, high, eta);
  RC_ASSERT(rungs.back() == high);
  RC_ASSERT(rungs.size() == 1 || rungs.front() == low);
  for (std::size_t i = 1; i < rungs.size(); ++i) {
    const double ratio = static_cast<double>(rungs[i]) / static_cast<double>(rungs[i - 1]);
    RC_ASSERT(ratio * ratio >= static_cast<double>(eta));
    RC_ASSERT(ratio < static_cast<double>(eta * eta));
  }
}

// 9 candidates whose value is their number times 2 modulo 9: 0 2 4 6 8 1 3 5 7. The best three are
// 4 (8), 8 (7), 3 (6); the best of them at the next rung is 3, which learns late.
TEST(SynchronousHalving, ByHand) {
  SynchronousHalving halving({.candidates = 9, .rungs = {1, 3, 9}, .eta = 3});
  for (std::int64_t i = 0; i < 9; ++i)
    EXPECT_EQ(halving.next(), (HalvingAction{Kind::kStart, i, 0}));
  for (std::int64_t i = 9; i-- > 0;) {
    EXPECT_EQ(halving.next().kind, Kind::kWait);
    halving.observe({i, 0, static_cast<double>(i * 2 % 9)});
  }
  EXPECT_EQ(halving.next(), (HalvingAction{Kind::kPromote, 4, 1}));
  EXPECT_EQ(halving.next(), (HalvingAction{Kind::kPromote, 8, 1}));
  EXPECT_EQ(halving.next(), (HalvingAction{Kind::kPromote, 3, 1}));
  EXPECT_EQ(halving.next().kind, Kind::kWait);
  for (const auto& [candidate, value] : {std::pair{8, 10.0}, {3, 12.0}, {4, 11.0}}) {
    halving.observe({candidate, 1, value});
  }
  EXPECT_EQ(halving.next(), (HalvingAction{Kind::kPromote, 3, 2}));
  EXPECT_EQ(halving.next().kind, Kind::kWait);
  halving.observe({3, 2, 20});
  EXPECT_EQ(halving.next().kind, Kind::kDone);
}

TEST(SynchronousHalving, EndsWhereNoneHasAValue) {
  SynchronousHalving halving({.candidates = 2, .rungs = {1, 2}, .eta = 2});
  halving.next();
  halving.next();
  halving.observe({0, 0, {}});
  EXPECT_EQ(halving.next().kind, Kind::kWait);
  halving.observe({1, 0, {}});
  EXPECT_EQ(halving.next().kind, Kind::kDone);
  EXPECT_EQ(halving.next().kind, Kind::kDone);
}

// By hand, eta 2: a rung sends one on after two results, two after four.
TEST(AsynchronousHalving, ByHand) {
  AsynchronousHalving halving({.candidates = 4, .rungs = {1, 2, 4}, .eta = 2});
  EXPECT_EQ(halving.next().action, (HalvingAction{Kind::kStart, 0, 0}));
  halving.observe({0, 0, 0.5});
  EXPECT_EQ(halving.next(), (HalvingDecision{{Kind::kStart, 1, 0}, {1, 1, 0, 0, 0}}));
  halving.observe({1, 0, 0.3});
  EXPECT_EQ(halving.next(), (HalvingDecision{{Kind::kPromote, 0, 1}, {2, 2, 1, 0.5, 0.5}}));
  EXPECT_EQ(halving.next().action, (HalvingAction{Kind::kStart, 2, 0}));
  EXPECT_EQ(halving.next().action, (HalvingAction{Kind::kStart, 3, 0}));
  EXPECT_EQ(halving.next().action.kind, Kind::kWait);
  halving.observe({2, 0, 0.4});
  EXPECT_EQ(halving.next().action.kind, Kind::kWait);  // floor(3 / 2) = 1 place, and 0 has it
  halving.observe({0, 1, 0.6});
  halving.observe({3, 0, {}});  // diverged: 2 places of 4
  EXPECT_EQ(halving.next(), (HalvingDecision{{Kind::kPromote, 2, 1}, {5, 4, 2, 0.4, 0.4}}));
  halving.observe({2, 1, 0.7});
  EXPECT_EQ(halving.next(), (HalvingDecision{{Kind::kPromote, 2, 2}, {6, 2, 1, 0.7, 0.7}}));
  EXPECT_EQ(halving.next().action.kind, Kind::kWait);
  halving.observe({2, 2, 0.8});
  EXPECT_EQ(halving.next().action.kind, Kind::kDone);
}

// Three candidates of eta 3 leave one place, of two rungs none: the search ended without a whole
// run, and nothing was verified.
TEST(AsynchronousHalving, AFewCandidatesEndWithAWholeRun) {
  AsynchronousHalving halving({.candidates = 3, .rungs = {1, 3, 9}, .eta = 3});
  for (std::int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(halving.next().action, (HalvingAction{Kind::kStart, i, 0}));
    halving.observe({i, 0, 0.1 * static_cast<double>(i)});
  }
  EXPECT_EQ(halving.next().action, (HalvingAction{Kind::kPromote, 2, 1}));
  EXPECT_EQ(halving.next().action.kind, Kind::kWait);
  halving.observe({2, 1, 0.5});
  EXPECT_EQ(halving.next(), (HalvingDecision{{Kind::kPromote, 2, 2}, {4, 1, 0, 0.5, 0}}));
  halving.observe({2, 2, {}});
  EXPECT_EQ(halving.next().action.kind, Kind::kDone);
}

struct Case {
  HalvingPlan plan;
  std::vector<std::optional<double>> values;  // of a candidate at each rung, row after row
  std::optional<double> value(const HalvingAction& action) const {
    return values[static_cast<std::size_t>(action.candidate) * plan.rungs.size() + action.rung];
  }
};

Case arbitrary_case() {
  Case drawn;
  drawn.plan.candidates = *rc::gen::inRange<std::int64_t>(1, 40);
  drawn.plan.eta = *rc::gen::inRange<std::int64_t>(2, 5);
  drawn.plan.rungs = halving_rungs(1, *rc::gen::inRange<std::int64_t>(1, 100), drawn.plan.eta);
  const auto count = static_cast<std::size_t>(drawn.plan.candidates) * drawn.plan.rungs.size();
  for (std::size_t i = 0; i < count; ++i) {
    const int value = *rc::gen::inRange(-1, 8);  // many equal ones; -1: diverged
    drawn.values.push_back(value < 0 ? std::nullopt : std::optional<double>(value));
  }
  return drawn;
}

// Drives `halving` with `slots` workers that end in the order that `which` chooses; the starts and
// promotions, in order.
template <typename Halving, typename Which>
std::vector<HalvingAction> actions_of(Halving halving, const Case& given, std::size_t slots,
                                      Which which) {
  std::vector<HalvingAction> actions;
  std::vector<HalvingAction> running;
  while (true) {
    HalvingAction action{Kind::kWait, 0, 0};
    if (running.size() < slots) {
      if constexpr (requires { halving.next().action; }) {
        action = halving.next().action;
      } else {
        action = halving.next();
      }
    }
    if (action.kind == Kind::kDone) break;
    if (action.kind == Kind::kWait) {
      RC_ASSERT(!running.empty());  // else it would wait for ever
      const auto ended = running.begin() + static_cast<std::ptrdiff_t>(which(running.size()));
      const HalvingAction done = *ended;
      running.erase(ended);
      halving.observe({done.candidate, done.rung, given.value(done)});
      continue;
    }
    actions.push_back(action);
    running.push_back(action);
  }
  RC_ASSERT(running.empty());
  return actions;
}

std::size_t arbitrary_one(std::size_t count) { return *rc::gen::inRange<std::size_t>(0, count); }

// Starts come once each and in order, promotions one rung at a time, once each, of candidates with
// a value.
void check_actions(const Case& given, const std::vector<HalvingAction>& actions) {
  std::set<std::pair<std::int64_t, std::size_t>> trained;
  std::int64_t started = 0;
  for (const HalvingAction& action : actions) {
    RC_ASSERT(trained.emplace(action.candidate, action.rung).second);
    if (action.kind == Kind::kStart) {
      RC_ASSERT(action.candidate == started++);
    } else {
      RC_ASSERT(trained.contains({action.candidate, action.rung - 1}));
      RC_ASSERT(given.value({Kind::kPromote, action.candidate, action.rung - 1}).has_value());
    }
  }
  RC_ASSERT(started == given.plan.candidates);
}

RC_GTEST_PROP(SynchronousHalvingProperty, TheOrderOfResultsChangesNothing, ()) {
  const Case given = arbitrary_case();
  const auto in_order =
      actions_of(SynchronousHalving(given.plan), given, 1, [](auto) { return 0u; });
  check_actions(given, in_order);
  const auto slots = *rc::gen::inRange<std::size_t>(1, 10);
  RC_ASSERT(actions_of(SynchronousHalving(given.plan), given, slots, arbitrary_one) == in_order);
}

RC_GTEST_PROP(SynchronousHalvingProperty, TheBestGoOn, ()) {
  const Case given = arbitrary_case();
  const auto actions = actions_of(SynchronousHalving(given.plan), given, 3, arbitrary_one);
  std::map<std::size_t, std::vector<std::int64_t>> members;
  for (const HalvingAction& action : actions) members[action.rung].push_back(action.candidate);
  for (std::size_t rung = 1; rung < given.plan.rungs.size(); ++rung) {
    const auto places = std::max<std::size_t>(
        1, members[rung - 1].size() / static_cast<std::size_t>(given.plan.eta));
    std::vector<double> values;
    for (const std::int64_t candidate : members[rung - 1]) {
      if (const auto value = given.value({Kind::kStart, candidate, rung - 1}))
        values.push_back(*value);
    }
    std::sort(values.rbegin(), values.rend());
    values.resize(std::min(values.size(), places));
    std::vector<double> promoted;
    for (const std::int64_t candidate : members[rung]) {
      promoted.push_back(*given.value({Kind::kStart, candidate, rung - 1}));
    }
    RC_ASSERT(promoted == values);
  }
}

RC_GTEST_PROP(AsynchronousHalvingProperty, EndsAndPromotesAtMostItsShare, ()) {
  const Case given = arbitrary_case();
  const auto slots = *rc::gen::inRange<std::size_t>(1, 10);
  const auto actions = actions_of(AsynchronousHalving(given.plan), given, slots, arbitrary_one);
  check_actions(given, actions);
  std::vector<std::int64_t> sizes(given.plan.rungs.size());
  for (const HalvingAction& action : actions) ++sizes[action.rung];
  // Late bloomers push others out of the top after these have gone on, so a rung may send on more
  // than its final share, but not more than came (Li et al. 2018, section 3.2); and the best of the
  // final share are all there.
  for (std::size_t rung = 1; rung < sizes.size(); ++rung) {
    RC_ASSERT(sizes[rung] <= sizes[rung - 1]);
    std::vector<RungEntry> entries;
    for (const HalvingAction& action : actions) {
      if (action.rung + 1 != rung) continue;
      if (const auto value = given.value(action)) entries.push_back({*value, action.candidate});
    }
    std::sort(entries.begin(), entries.end());
    const auto places = static_cast<std::size_t>(sizes[rung - 1] / given.plan.eta);
    for (std::size_t i = 0; i < std::min(places, entries.size()); ++i) {
      RC_ASSERT(std::any_of(actions.begin(), actions.end(), [&](const HalvingAction& action) {
        return action.rung == rung && action.candidate == entries[i].candidate;
      }));
    }
  }
}

// What next() says follows from the plain definition over all that was observed, with no state
// kept.
std::optional<HalvingAction> promotion_by_definition(const HalvingPlan& plan,
                                                     const std::vector<RungResult>& log,
                                                     const std::vector<HalvingAction>& made) {
  for (std::size_t above = plan.rungs.size() - 1; above > 0; --above) {
    std::vector<RungEntry> entries;
    std::int64_t results = 0;
    for (const RungResult& result : log) {
      if (result.rung + 1 != above) continue;
      ++results;
      if (result.value) entries.push_back({*result.value, result.candidate});
    }
    std::sort(entries.begin(), entries.end());
    const auto places = static_cast<std::size_t>(results / plan.eta);
    entries.resize(std::min(entries.size(), places));
    for (const RungEntry& entry : entries) {
      const HalvingAction action{Kind::kPromote, entry.candidate, above};
      if (std::find(made.begin(), made.end(), action) == made.end()) return action;
    }
  }
  return std::nullopt;
}

// At the end: the best of the highest rung that has a result.
std::optional<HalvingAction> last_promotion(const HalvingPlan& plan,
                                            const std::vector<RungResult>& log) {
  std::size_t highest = 0;
  for (const RungResult& result : log) highest = std::max(highest, result.rung);
  std::vector<RungEntry> entries;
  for (const RungResult& result : log) {
    if (result.rung == highest && result.value)
      entries.push_back({*result.value, result.candidate});
  }
  if (entries.empty() || highest + 1 == plan.rungs.size()) return std::nullopt;
  return HalvingAction{Kind::kPromote, std::min_element(entries.begin(), entries.end())->candidate,
                       highest + 1};
}

RC_GTEST_PROP(AsynchronousHalvingProperty, DecidesByTheDefinition, ()) {
  const Case given = arbitrary_case();
  AsynchronousHalving halving(given.plan);
  std::vector<RungResult> log;
  std::vector<HalvingAction> made;
  std::vector<HalvingAction> running;
  for (int step = 0; step < 400; ++step) {
    if (!running.empty() && *rc::gen::arbitrary<bool>()) {
      const auto ended =
          running.begin() + static_cast<std::ptrdiff_t>(arbitrary_one(running.size()));
      log.push_back({ended->candidate, ended->rung, given.value(*ended)});
      halving.observe(log.back());
      running.erase(ended);
    }
    auto wanted = promotion_by_definition(given.plan, log, made);
    const auto starts = std::count_if(made.begin(), made.end(), [](const HalvingAction& action) {
      return action.kind == Kind::kStart;
    });
    if (!wanted && running.empty() && starts == given.plan.candidates)
      wanted = last_promotion(given.plan, log);
    const HalvingDecision decision = halving.next();
    RC_ASSERT((decision.action.kind == Kind::kPromote) == wanted.has_value());
    RC_ASSERT(decision.known.observed == static_cast<std::int64_t>(log.size()));
    if (wanted) RC_ASSERT(decision.action == *wanted);
    if (decision.action.kind == Kind::kDone) break;
    if (decision.action.kind == Kind::kWait) continue;
    made.push_back(decision.action);
    running.push_back(decision.action);
  }
}

}  // namespace
}  // namespace lrtune
