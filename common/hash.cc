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

namespace {

// OpenSSL computes with the processor's own instructions. Looking up the algorithm and making a
// context take longer than the name of a state, so a thread keeps both.
class OpenSslSha256 {
 public:
  OpenSslSha256()
      : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {}
  ~OpenSslSha256() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(algorithm_);
  }
  OpenSslSha256(const OpenSslSha256&) = delete;
  OpenSslSha256& operator=(const OpenSslSha256&) = delete;

  bool hash(std::span<const std::uint8_t> bytes, Digest& digest) {
    return algorithm_ != nullptr && context_ != nullptr &&
           EVP_DigestInit_ex2(context_, algorithm_, nullptr) == 1 &&
           EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1 &&
           EVP_DigestFinal_ex(context_, digest.bytes.data(), nullptr) == 1;
  }

 private:
  EVP_MD* algorithm_;
  EVP_MD_CTX* context_;
};

}  // namespace

Digest sha256(std::span<const std::uint8_t> bytes) {
  thread_local OpenSslSha256 openssl;
  Digest digest;
  if (!openssl.hash(bytes, digest))
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
