#include "common/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace lrtune {

bool Digest::is_zero() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::string Digest::hex() const {
  std::string text(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();  // the terminating zero
  return text;
}

Result<Digest> Digest::from_hex(std::string_view text) {
  Digest digest;
  std::size_t length = 0;
  const char* end = nullptr;
  const int rc = sodium_hex2bin(digest.bytes.data(), digest.bytes.size(), text.data(), text.size(),
                                nullptr, &length, &end);
  if (rc != 0 || text.size() != 64 || length != 32 || end != text.data() + text.size()) {
    return fail(
        fmt::format("a SHA-256 name has 64 hexadecimal digits, not '{}'", text.substr(0, 80)));
  }
  return digest;
}

// OpenSSL computes with the processor's own instructions, three to five times as fast, but takes
// longer to start: libsodium is ahead up to about a hundred bytes, and state names are that short.
Digest sha256(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kLong = 128;
  Digest digest;
  if (bytes.size() >= kLong && EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr,
                                          EVP_sha256(), nullptr) == 1)
    return digest;
  crypto_hash_sha256(digest.bytes.data(), bytes.data(), bytes.size());
  return digest;
}

Digest sha256(std::string_view text) {
  return sha256(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace lrtune

std::size_t std::hash<lrtune::Digest>::operator()(const lrtune::Digest& digest) const noexcept {
  std::size_t value = 0;
  std::memcpy(&value, digest.bytes.data(), sizeof value);
  return value;
}
