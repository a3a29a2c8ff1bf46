// SHA-256 over pieces, one after the other.
#pragma once

#include <sodium.h>

#include <cstdint>
#include <span>

#include "common/hash.h"

namespace lrtune {

class ContentsHash {
 public:
  ContentsHash() { crypto_hash_sha256_init(&state_); }
  void add(std::span<const std::uint8_t> bytes) {
    crypto_hash_sha256_update(&state_, bytes.data(), bytes.size());
  }
  Digest finish() {  // once
    Digest digest;
    crypto_hash_sha256_final(&state_, digest.bytes.data());
    return digest;
  }

 private:
  crypto_hash_sha256_state state_{};
};

}  // namespace lrtune
