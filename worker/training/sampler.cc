#include "worker/training/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "worker/training/draws.h"

namespace lrtune {
namespace {

// The first of these samples are held out, the last are the train subset, so that the two never
// meet.
std::vector<std::int64_t> split_order(std::int64_t samples) {
  Draws draws("split", 0, 0);
  return permutation(samples, draws);
}

}  // namespace

SampleOrder::SampleOrder(std::uint64_t seed, std::int64_t samples)
    : seed_(seed), samples_(samples) {}

void SampleOrder::fill(std::int64_t first, std::span<std::int64_t> out) {
  std::int64_t position = first;
  for (std::int64_t& sample : out) {
    const std::int64_t epoch = position / samples_;
    if (epoch != epoch_) {
      Draws draws("sample order", seed_, static_cast<std::uint64_t>(epoch));
      order_ = permutation(samples_, draws);
      epoch_ = epoch;
    }
    sample = order_[static_cast<std::size_t>(position % samples_)];
    ++position;
  }
}

Result<Split> split_training_data(std::int64_t samples, double share) {
  auto held_out = static_cast<std::int64_t>(std::llround(share * static_cast<double>(samples)));
  if (share > 0) held_out = std::max<std::int64_t>(held_out, 1);
  if (held_out >= samples) {
    return fail(fmt::format(
        "a validation share of {} leaves none of {} training samples to train on", share, samples));
  }
  std::vector<std::int64_t> order = split_order(samples);
  const auto border = order.begin() + held_out;
  std::sort(order.begin(), border);
  std::sort(border, order.end());
  return Split{.train = {border, order.end()}, .validation = {order.begin(), border}};
}

std::vector<std::int64_t> train_subset(const Split& split, std::int64_t samples,
                                       std::int64_t count) {
  const auto size = std::min<std::int64_t>(count, std::ssize(split.train));
  const std::vector<std::int64_t> order = split_order(samples);
  std::vector<std::int64_t> subset(order.end() - size, order.end());
  std::sort(subset.begin(), subset.end());
  return subset;
}

}  // namespace lrtune
