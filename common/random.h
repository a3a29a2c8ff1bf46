// Counter-based random numbers: a draw is a function of its key, so that no generator has a state
// to be saved, and draw i is the same whatever was drawn before it or by whom.
#pragma once

#include <cstdint>
#include <string_view>

namespace lrtune {

// Uniform over all 64-bit values; `purpose` separates the uses of one seed. First eight bytes,
// little end first, of SHA-256 over (purpose, 0, seed, counter, stream).
std::uint64_t random_bits(std::string_view purpose, std::uint64_t seed, std::uint64_t counter,
                          std::uint64_t stream = 0);

// Uniform in [0, 1), a multiple of 2^-53.
double random_unit(std::string_view purpose, std::uint64_t seed, std::uint64_t counter,
                   std::uint64_t stream = 0);

// The seed of a trial: a function of the campaign's base seed and the repeat alone, so that all
// policies of a campaign start from the same weights and see the same samples
// (docs/ARCHITECTURE.md, Words: trial). Below 2^63, since SQLite's integers are signed.
std::uint64_t trial_seed(std::uint64_t base_seed, std::uint32_t repeat);

}  // namespace lrtune
