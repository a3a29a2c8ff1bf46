#include "coordinator/search/tree_search.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace lrtune {
namespace {

using Kind = HalvingAction::Kind;

TreeAction start(std::int64_t candidate, std::size_t rung, std::optional<std::int64_t> parent,
                 std::int64_t number) {
  return {{Kind::kStart, candidate, rung}, parent, number};
}
TreeAction go_on(std::int64_t candidate, std::size_t rung) {
  return {{Kind::kPromote, candidate, rung}, std::nullopt, 0};
}

// Two of three first segments go on, each with what it has and with three new ones. One of the new
// ones and an old one go on from there.
TEST(TreeSearch, ByHand) {
  TreeSearch tree({.rungs = {10, 20, 40}, .tries = 3, .keep = 2});
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(tree.next(), start(i, 0, std::nullopt, i));
  EXPECT_EQ(tree.next().action.kind, Kind::kWait);
  tree.observe({2, 0, 0.5});
  tree.observe({0, 0, 0.7});
  EXPECT_EQ(tree.next().action.kind, Kind::kWait);
  tree.observe({1, 0, 0.2});

  EXPECT_EQ(tree.next(), go_on(0, 1));
  EXPECT_EQ(tree.value_of(0), 0.7);
  EXPECT_EQ(tree.value_of(2), 0.5);
  EXPECT_EQ(tree.members_below(), 3);
  EXPECT_EQ(tree.next(), go_on(2, 1));
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(tree.next(), start(3 + i, 1, 0, i));
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(tree.next(), start(6 + i, 1, 2, i));
  EXPECT_EQ(tree.next().action.kind, Kind::kWait);
  for (const std::int64_t candidate : {3, 4, 5, 6, 8}) tree.observe({candidate, 1, 0.6});
  tree.observe({0, 1, 0.8});
  tree.observe({2, 1, std::nullopt});
  tree.observe({7, 1, 0.9});

  EXPECT_EQ(tree.next(), go_on(7, 2));
  EXPECT_EQ(tree.next(), go_on(0, 2));
  EXPECT_EQ(tree.members_below(), 8);
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(tree.next(), start(9 + i, 2, 7, i));
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(tree.next(), start(12 + i, 2, 0, i));
  for (const std::int64_t candidate : {7, 0, 9, 10, 11, 12, 13, 14}) {
    EXPECT_EQ(tree.next().action.kind, Kind::kWait);
    tree.observe({candidate, 2, 1.0});
  }
  EXPECT_EQ(tree.next().action.kind, Kind::kDone);
}

TEST(TreeSearch, APathThatGoesOnIsBeforeAnEqualNewOne) {
  TreeSearch tree({.rungs = {1, 2, 3}, .tries = 1, .keep = 1});
  tree.next();
  tree.observe({0, 0, 0.5});
  EXPECT_EQ(tree.next(), go_on(0, 1));
  EXPECT_EQ(tree.next(), start(1, 1, 0, 0));
  tree.observe({1, 1, 0.6});
  tree.observe({0, 1, 0.6});
  EXPECT_EQ(tree.next(), go_on(0, 2));
  EXPECT_EQ(tree.next(), start(2, 2, 0, 0));
}

// Of three tries the second is what the parent does anyway: the same schedule took two places.
TEST(TreeSearch, ATryThatTheParentDoesAnywayIsLeftOut) {
  TreeSearch tree(
      {.rungs = {1, 2}, .tries = 3, .keep = 1},
      [](std::int64_t parent, std::int64_t number) { return parent == 0 && number == 1; });
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(tree.next(), start(i, 0, std::nullopt, i));
  for (std::int64_t i = 0; i < 3; ++i) tree.observe({i, 0, i == 0 ? 0.9 : 0.1});
  EXPECT_EQ(tree.next(), go_on(0, 1));
  EXPECT_EQ(tree.next(), start(3, 1, 0, 0));
  EXPECT_EQ(tree.next(), start(4, 1, 0, 2));
  EXPECT_EQ(tree.next().action.kind, HalvingAction::Kind::kWait);
}

TEST(TreeSearch, EndsWhereNoneHasAValue) {
  TreeSearch tree({.rungs = {1, 2}, .tries = 2, .keep = 1});
  tree.next();
  tree.next();
  tree.observe({0, 0, std::nullopt});
  EXPECT_EQ(tree.next().action.kind, Kind::kWait);
  tree.observe({1, 0, std::nullopt});
  EXPECT_EQ(tree.next().action.kind, Kind::kDone);
  EXPECT_EQ(tree.next().action.kind, Kind::kDone);
}

// What is started and promoted, with results that come in the order that `pick` says.
std::vector<TreeAction> decisions_of(const TreePlan& plan, std::uint64_t salt, bool newest_first) {
  TreeSearch tree(plan);
  std::vector<TreeAction> decided;
  std::vector<RungResult> running;
  for (;;) {
    const TreeAction action = tree.next();
    if (action.action.kind == Kind::kDone) return decided;
    if (action.action.kind != Kind::kWait) {
      decided.push_back(action);
      const auto luck = (static_cast<std::uint64_t>(action.action.candidate) * 7919 +
                         action.action.rung * 104729 + salt) %
                        97;
      RungResult result{action.action.candidate, action.action.rung, std::nullopt};
      if (luck % 8 != 0) result.value = static_cast<double>(luck);
      running.push_back(result);
      if (running.size() < 3) continue;
    }
    const auto at = newest_first ? std::prev(running.end()) : running.begin();
    tree.observe(*at);
    running.erase(at);
  }
}

RC_GTEST_PROP(TreeSearchProperty, TheOrderOfResultsChangesNothing, ()) {
  TreePlan plan;
  plan.rungs = {1, 2, 3, 4};
  plan.rungs.resize(*rc::gen::inRange<std::size_t>(1, 5));
  plan.tries = *rc::gen::inRange<std::int64_t>(1, 6);
  plan.keep = *rc::gen::inRange<std::int64_t>(1, 4);
  const auto salt = *rc::gen::inRange<std::uint64_t>(0, 1000);
  const auto decided = decisions_of(plan, salt, false);
  RC_ASSERT(decided == decisions_of(plan, salt, true));
  std::map<std::size_t, std::int64_t> promoted;
  for (const TreeAction& one : decided)
    promoted[one.action.rung] += one.action.kind == Kind::kPromote;
  for (const auto& [rung, count] : promoted) RC_ASSERT(count <= plan.keep);
  RC_ASSERT(std::ssize(decided) <= plan.tries + static_cast<std::int64_t>(plan.rungs.size() - 1) *
                                                    plan.keep * (plan.tries + 1));
}

}  // namespace
}  // namespace lrtune
