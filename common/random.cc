#include "common/random.h"

#include <vector>

#include "common/hash.h"

namespace lrtune {
namespace {

void append_little_endian(std::vector<std::uint8_t>& bytes, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) {
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

}  // namespace

std::uint64_t random_bits(std::string_view purpose, std::uint64_t seed, std::uint64_t counter,
                          std::uint64_t stream) {
  std::vector<std::uint8_t> bytes(purpose.begin(), purpose.end());
  bytes.push_back(0);
  append_little_endian(bytes, seed);
  append_little_endian(bytes, counter);
  append_little_endian(bytes, stream);
  const Digest digest = sha256(bytes);
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{digest.bytes[i]} << (8 * i);
  return value;
}

double random_unit(std::string_view purpose, std::uint64_t seed, std::uint64_t counter,
                   std::uint64_t stream) {
  return static_cast<double>(random_bits(purpose, seed, counter, stream) >> 11) * 0x1p-53;
}

std::uint64_t trial_seed(std::uint64_t base_seed, std::uint32_t repeat) {
  return random_bits("trial", base_seed, repeat) >> 1;
}

}  // namespace lrtune
