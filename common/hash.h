// SHA-256 (FIPS 180-4, through libsodium and OpenSSL). Names of states, identities and campaigns
// are made of it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace lrtune {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Digest&) const = default;
  bool is_zero() const;
  std::string hex() const;                           // 64 lower-case digits
  static Result<Digest> from_hex(std::string_view);  // exactly 64 hexadecimal digits
};

Digest sha256(std::span<const std::uint8_t> bytes);
Digest sha256(std::string_view text);

}  // namespace lrtune

template <>
struct std::hash<lrtune::Digest> {
  std::size_t operator()(const lrtune::Digest& digest) const noexcept;
};
