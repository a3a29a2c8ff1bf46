#include "worker/training/draws.h"

#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

#include "common/random.h"

namespace lrtune {

Draws::Draws(std::string_view purpose, std::uint64_t seed, std::uint64_t counter)
    : engine_(random_bits(purpose, seed, counter)) {}

std::uint64_t Draws::bits() { return engine_(); }

std::uint64_t Draws::below(std::uint64_t bound) {
  // Values from the last, incomplete run of `bound` numbers are drawn again: the rest divides
  // evenly.
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t limit = kMax - (kMax % bound + 1) % bound;
  std::uint64_t value = bits();
  while (value > limit) value = bits();
  return value % bound;
}

double Draws::unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

std::vector<std::int64_t> permutation(std::int64_t count, Draws& draws) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[static_cast<std::size_t>(draws.below(left))]);
  }
  return order;
}

}  // namespace lrtune
