// Random choices of a simulation. The same seed makes the same choices on every machine, which the
// distributions of <random> do not promise.
#pragma once

#include <chrono>
#include <cstdint>

namespace lrtune::sim {

using Duration = std::chrono::microseconds;

class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed) : state_(seed) {}

  // SplitMix64 (Steele, Lea, Flood 2014).
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Both ends included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    const auto span = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<std::int64_t>(bits() % span);
  }
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(bits() % limit); }
  bool chance(double probability) {
    return static_cast<double>(bits() >> 11) * 0x1p-53 < probability;
  }
  Duration between(Duration low, Duration high) {
    return Duration(between(low.count(), high.count()));
  }

 private:
  std::uint64_t state_;
};

}  // namespace lrtune::sim
