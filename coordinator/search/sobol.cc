#include "coordinator/search/sobol.h"

#include <boost/random/sobol.hpp>
#include <cassert>

#include "common/random.h"

namespace lrtune {

std::vector<std::uint64_t> sobol_point(std::size_t dimensions, std::uint64_t index,
                                       std::uint64_t seed) {
  assert(dimensions >= 1 && dimensions <= kMostSobolDimensions);
  std::vector<std::uint64_t> point(dimensions, 0);
  if (index > 0) {  // Boost's engine leaves the origin out: what it calls 0 is point 1
    boost::random::sobol engine(dimensions);
    engine.seed(index - 1);
    engine.generate(point.begin(), point.end());
  }
  for (std::size_t i = 0; i < dimensions; ++i) point[i] ^= random_bits("search sobol", seed, 0, i);
  return point;
}

}  // namespace lrtune
