#include "common/state_name.h"

#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <vector>

namespace lrtune {
namespace {

void put_little_endian(std::uint8_t* out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

Digest initial_state(const Digest& identity, std::uint64_t seed) {
  constexpr std::string_view kPrefix("lrtune state 1\0", 15);
  std::vector<std::uint8_t> bytes(kPrefix.begin(), kPrefix.end());
  bytes.insert(bytes.end(), identity.bytes.begin(), identity.bytes.end());
  bytes.resize(bytes.size() + 8);
  put_little_endian(bytes.data() + bytes.size() - 8, seed);
  return sha256(bytes);
}

Digest next_state(const Digest& state, double learning_rate) {
  std::array<std::uint8_t, 40> bytes;
  std::memcpy(bytes.data(), state.bytes.data(), state.bytes.size());
  put_little_endian(bytes.data() + 32, std::bit_cast<std::uint64_t>(learning_rate));
  return sha256(bytes);
}

Digest state_after(Digest state, const Policy& policy, std::int64_t from, std::int64_t to) {
  constexpr std::int64_t kChunk = 1024;
  std::array<double, kChunk> rates;
  for (std::int64_t first = from; first < to; first += kChunk) {
    const auto count = static_cast<std::size_t>(std::min(kChunk, to - first));
    learning_rates(policy, first, std::span(rates).first(count));
    for (std::size_t i = 0; i < count; ++i) state = next_state(state, rates[i]);
  }
  return state;
}

Digest reactive_plan(const Digest& initial, const Digest& controller) {
  constexpr std::string_view kPrefix("lrtune reactive 1\0", 18);
  std::vector<std::uint8_t> bytes(kPrefix.begin(), kPrefix.end());
  bytes.insert(bytes.end(), initial.bytes.begin(), initial.bytes.end());
  bytes.insert(bytes.end(), controller.bytes.begin(), controller.bytes.end());
  return sha256(bytes);
}

Digest reactive_state(const Digest& plan, std::int64_t iteration) {
  std::array<std::uint8_t, 40> bytes;
  std::memcpy(bytes.data(), plan.bytes.data(), plan.bytes.size());
  put_little_endian(bytes.data() + 32, static_cast<std::uint64_t>(iteration));
  return sha256(bytes);
}

}  // namespace lrtune
