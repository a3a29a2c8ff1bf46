#include "coordinator/search/tree_search.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace lrtune {

using Kind = HalvingAction::Kind;

TreeSearch::TreeSearch(TreePlan plan, Repeats repeats)
    : plan_(std::move(plan)), repeats_(std::move(repeats)) {
  assert(!plan_.rungs.empty() && plan_.tries >= 1 && plan_.keep >= 1);
  add_starts(std::nullopt);
}

void TreeSearch::add_starts(std::optional<std::int64_t> parent) {
  for (std::int64_t number = 0; number < plan_.tries; ++number) {
    if (parent && repeats_ && repeats_(*parent, number)) continue;
    members_.push_back({started_++, parent, number, true});
  }
}

void TreeSearch::observe(const RungResult& result) {
  assert(result.rung == rung_);
  ++known_;
  if (result.value) ranked_.insert({*result.value, result.candidate});
}

void TreeSearch::climb() {
  members_below_ = std::ssize(members_);
  members_.clear();
  ranked_below_.assign(ranked_.begin(), ranked_.end());
  if (std::ssize(ranked_below_) > plan_.keep)
    ranked_below_.resize(static_cast<std::size_t>(plan_.keep));
  ranked_.clear();
  for (const RungEntry& path : ranked_below_)
    members_.push_back({path.candidate, std::nullopt, 0, false});
  for (const RungEntry& path : ranked_below_) add_starts(path.candidate);
  given_ = known_ = 0;
  ++rung_;
}

TreeAction TreeSearch::next() {
  const bool complete = !members_.empty() && known_ == members_.size();
  if (complete && rung_ + 1 < plan_.rungs.size()) climb();
  if (given_ < members_.size()) {
    const Member& member = members_[given_++];
    return {{member.starts ? Kind::kStart : Kind::kPromote, member.candidate, rung_},
            member.parent,
            member.number};
  }
  return {{known_ < members_.size() ? Kind::kWait : Kind::kDone, 0, 0}, std::nullopt, 0};
}

std::size_t TreeSearch::place_of(std::int64_t candidate) const {
  const auto at = std::find_if(ranked_below_.begin(), ranked_below_.end(),
                               [&](const RungEntry& path) { return path.candidate == candidate; });
  assert(at != ranked_below_.end());
  return static_cast<std::size_t>(at - ranked_below_.begin());
}

}  // namespace lrtune
