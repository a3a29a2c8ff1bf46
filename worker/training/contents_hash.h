// SHA-256 over pieces, one after the other.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>

#include "common/hash.h"

namespace lrtune {

// Throws std::runtime_error if OpenSSL has no SHA-256 or no memory.
class ContentsHash {
 public:
  ContentsHash() { require(EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr)); }
  void add(std::span<const std::uint8_t> bytes) {
    require(EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size()));
  }
  Digest finish() {  // once
    Digest digest;
    require(EVP_DigestFinal_ex(state_.get(), digest.bytes.data(), nullptr));
    return digest;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* state) const { EVP_MD_CTX_free(state); }
  };
  static void require(int done) {
    if (done != 1) throw std::runtime_error("OpenSSL cannot compute a SHA-256");
  }
  std::unique_ptr<EVP_MD_CTX, Free> state_{EVP_MD_CTX_new()};
};

}  // namespace lrtune
