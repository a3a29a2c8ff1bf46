// Random draws whose algorithm is written down, so that they are the same with every standard
// library: a Mersenne twister (std::mt19937_64, fixed by the C++ standard) that starts from
// common/random.h's hash of a key. LibTorch's generators and the distributions of <random> are not
// used: two trainers in one process would disturb each other through the first, and the second
// differ between libraries.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace lrtune {

class Draws {
 public:
  // `purpose` separates the uses of one seed, `counter` the streams of one purpose (an epoch, a
  // parameter).
  Draws(std::string_view purpose, std::uint64_t seed, std::uint64_t counter);

  std::uint64_t bits();                      // uniform over all values
  std::uint64_t below(std::uint64_t bound);  // uniform over 0 .. bound-1; bound above 0
  double unit();                             // [0, 1), a multiple of 2^-53

 private:
  std::mt19937_64 engine_;
};

// A uniform permutation of 0 .. count-1 (Fisher-Yates, from the end down).
std::vector<std::int64_t> permutation(std::int64_t count, Draws& draws);

}  // namespace lrtune
