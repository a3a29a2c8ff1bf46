// Reads one message's body (a map) key by key: exact integers, doubles, texts, digests as binary.
// The first error stays. Every key must be asked for: one that nobody asked for is an error.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/hash.h"
#include "common/result.h"

namespace lrtune::wire {

// Texts for people (reasons, errors) are cut to so many bytes when they are sent, so that no
// message of a library makes a frame too large.
inline constexpr std::size_t kMaxTextBytes = 4096;

class BodyReader {
 public:
  // `body` must outlive the reader; `kind` names the message in errors.
  BodyReader(const nlohmann::json& body, std::string kind);

  // The value, or nullptr and an error. For nested documents.
  const nlohmann::json* value(const char* key);
  // The value if the key is there; its absence is no error.
  const nlohmann::json* optional_value(const char* key);

  std::int64_t integer(const char* key, std::int64_t low,
                       std::int64_t high = std::numeric_limits<std::int64_t>::max());
  std::optional<std::int64_t> optional_integer(
      const char* key, std::int64_t low,
      std::int64_t high = std::numeric_limits<std::int64_t>::max());  // none: no such key
  std::uint64_t unsigned_integer(const char* key);
  double real(const char* key);                           // any double, NaN and infinities too
  double real(const char* key, double low, double high);  // low <= x <= high
  std::string text(const char* key, std::size_t most_bytes = kMaxTextBytes);
  std::string words(const char* key);  // a text for people to read, made printable
  Digest digest(const char* key);      // 32 bytes of binary

  // `from_json(value)` of a nested document, e.g. a policy.
  template <typename T, typename FromJson>
  void document(const char* key, T& target, FromJson&& from_json) {
    const nlohmann::json* json = value(key);
    if (json == nullptr) return;
    Result<T> read = from_json(*json);
    if (read) {
      target = std::move(*read);
    } else {
      error(key, read.error().path + ": " + read.error().message);
    }
  }

  void error(std::string_view key, std::string_view message);
  // The first error, or an unknown key's. Call it once, after all reads.
  std::optional<Error> finish();

 private:
  const nlohmann::json& body_;
  std::string kind_;
  std::vector<const char*> asked_;
  std::size_t found_ =
      0;  // keys asked for and there; keys of a body are different (check_structure)
  std::optional<Error> error_;
};

}  // namespace lrtune::wire
