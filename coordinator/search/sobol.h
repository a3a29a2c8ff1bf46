// Points of a Sobol sequence in base 2 with a random digital shift: they fill the unit cube more
// evenly than independent draws. Pure: a point is a function of its index, so none is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lrtune {

// Of the direction numbers that Boost.Random brings (Joe & Kuo 2008, new-joe-kuo-6).
inline constexpr std::size_t kMostSobolDimensions = 3667;

// Coordinates of point `index` as binary fractions: x / 2^64 is in [0, 1). Index 0 is the origin,
// shifted; the points come in Gray-code order (Antonov & Saleev 1979), and each block of 2^k of
// them from a multiple of 2^k on has one in each 2^k-th of every axis. The shift, an exclusive or
// that `seed` alone decides, keeps that and makes each point uniform in the cube. 1 <= dimensions
// <= kMostSobolDimensions, index < 2^63.
std::vector<std::uint64_t> sobol_point(std::size_t dimensions, std::uint64_t index,
                                       std::uint64_t seed);

}  // namespace lrtune
