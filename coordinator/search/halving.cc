#include "coordinator/search/halving.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

namespace lrtune {

std::vector<std::int64_t> halving_rungs(std::int64_t min_iterations, std::int64_t max_iterations,
                                        std::int64_t eta) {
  assert(min_iterations >= 1 && min_iterations <= max_iterations && eta >= 2);
  std::vector<std::int64_t> rungs;
  const double most = static_cast<double>(max_iterations);
  for (std::int64_t length = min_iterations;; length *= eta) {
    const double ratio = most / static_cast<double>(length);
    if (ratio * ratio < static_cast<double>(eta)) break;
    rungs.push_back(length);
    if (length > max_iterations / eta) break;
  }
  if (rungs.empty() || rungs.back() < max_iterations) rungs.push_back(max_iterations);
  return rungs;
}

SynchronousHalving::SynchronousHalving(HalvingPlan plan) : plan_(std::move(plan)) {
  assert(plan_.candidates >= 1 && !plan_.rungs.empty() && plan_.eta >= 2);
  members_.resize(static_cast<std::size_t>(plan_.candidates));
  std::iota(members_.begin(), members_.end(), 0);
}

void SynchronousHalving::observe(const RungResult& result) {
  assert(result.rung == rung_);
  ++known_;
  if (result.value) ranked_.insert({*result.value, result.candidate});
}

// The best of this rung become the members of the next one, best first.
void SynchronousHalving::climb() {
  const std::size_t places =
      std::max<std::size_t>(1, members_.size() / static_cast<std::size_t>(plan_.eta));
  members_.clear();
  for (const RungEntry& entry : ranked_) {
    if (members_.size() == places) break;
    members_.push_back(entry.candidate);
  }
  ranked_.clear();
  given_ = known_ = 0;
  ++rung_;
}

HalvingAction SynchronousHalving::next() {
  using Kind = HalvingAction::Kind;
  const bool complete = !members_.empty() && known_ == members_.size();
  if (complete && rung_ + 1 < plan_.rungs.size()) climb();
  if (given_ < members_.size()) {
    return {rung_ == 0 ? Kind::kStart : Kind::kPromote, members_[given_++], rung_};
  }
  return {known_ < members_.size() ? Kind::kWait : Kind::kDone, 0, 0};
}

AsynchronousHalving::AsynchronousHalving(HalvingPlan plan)
    : plan_(std::move(plan)), rungs_(plan_.rungs.size()) {
  assert(plan_.candidates >= 1 && !plan_.rungs.empty() && plan_.eta >= 2);
}

void AsynchronousHalving::observe(const RungResult& result) {
  Rung& rung = rungs_.at(result.rung);
  ++observed_;
  --running_;
  ++rung.results;
  if (result.value) {
    const RungEntry entry{*result.value, result.candidate};
    rung.unpromoted.insert(entry);
    rung.rest.insert(entry);
    if (!rung.top.empty() && entry < *rung.top.rbegin()) {
      rung.rest.insert(rung.top.extract(std::prev(rung.top.end())));
      rung.top.insert(rung.rest.extract(entry));
    }
  }
  const auto places = static_cast<std::size_t>(rung.results / plan_.eta);
  while (rung.top.size() < places && !rung.rest.empty()) {
    rung.top.insert(rung.rest.extract(rung.rest.begin()));
  }
}

HalvingKnowledge AsynchronousHalving::knowledge(const Rung& rung) const {
  HalvingKnowledge known{
      .observed = observed_, .in_rung = rung.results, .places = rung.results / plan_.eta};
  if (!rung.top.empty()) known.cutoff = rung.top.rbegin()->value;
  return known;
}

HalvingDecision AsynchronousHalving::promote(Rung& rung, std::size_t above) {
  const RungEntry best = *rung.unpromoted.begin();
  rung.unpromoted.erase(rung.unpromoted.begin());
  ++running_;
  HalvingKnowledge known = knowledge(rung);
  known.value = best.value;
  return {{HalvingAction::Kind::kPromote, best.candidate, above}, known};
}

HalvingDecision AsynchronousHalving::next() {
  using Kind = HalvingAction::Kind;
  for (std::size_t above = rungs_.size() - 1; above > 0; --above) {
    Rung& rung = rungs_[above - 1];
    // If the best that has not gone on is not among the top, none is.
    if (rung.unpromoted.empty() || !rung.top.contains(*rung.unpromoted.begin())) continue;
    return promote(rung, above);
  }
  if (started_ < plan_.candidates) {
    ++running_;
    return {{Kind::kStart, started_++, 0}, knowledge(rungs_[0])};
  }
  if (running_ > 0) return {{Kind::kWait, 0, 0}, knowledge(rungs_[0])};
  const auto highest = std::find_if(rungs_.rbegin(), rungs_.rend(),
                                    [](const Rung& rung) { return rung.results > 0; });
  if (highest != rungs_.rend() && highest != rungs_.rbegin() && !highest->unpromoted.empty())
    return promote(*highest, static_cast<std::size_t>(rungs_.rend() - highest));
  return {{Kind::kDone, 0, 0}, knowledge(rungs_[0])};
}

}  // namespace lrtune
