// MessagePack without a tree: values are written as nlohmann::json's to_msgpack writes them, in the
// shortest form, and read from there. Inside of common/wire.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/hash.h"

namespace lrtune::wire {

class PackWriter {
 public:
  explicit PackWriter(std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}

  void map(std::size_t keys) { byte(0x80U | keys); }  // of at most 15 keys
  void array(std::size_t values) {
    if (values <= 15) return byte(0x90U | values);
    byte(0xDC);
    big_endian(static_cast<std::uint16_t>(values));
  }
  void text(std::string_view text);
  void integer(std::int64_t value) {
    value >= 0 ? natural(static_cast<std::uint64_t>(value)) : negative(value);
  }
  void natural(std::uint64_t value);
  void real(double value);
  void digest(const Digest& digest) {
    byte(0xC4);
    byte(digest.bytes.size());
    bytes_.insert(bytes_.end(), digest.bytes.begin(), digest.bytes.end());
  }
  void raw(std::span<const std::uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

 private:
  void byte(std::size_t value) { bytes_.push_back(static_cast<std::uint8_t>(value)); }
  void negative(std::int64_t value);
  template <typename Unsigned>
  void big_endian(Unsigned value) {
    for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8)
      byte(static_cast<std::uint8_t>(value >> shift));
  }

  std::vector<std::uint8_t>& bytes_;
};

// Each call takes the next value, or gives false or nothing and has then to be the last one.
class PackReader {
 public:
  explicit PackReader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  std::span<const std::uint8_t> rest() const { return rest_; }
  void skip(std::size_t bytes) { rest_ = rest_.subspan(bytes); }

  bool array(std::size_t values) { return values <= 15 && byte(0x90U | values); }
  bool map(std::size_t keys) { return keys <= 15 && byte(0x80U | keys); }
  std::optional<std::size_t> map_of_any();  // of at most 15 keys
  std::optional<std::string_view> text();   // of at most 255 bytes
  bool key(std::string_view name) { return text() == name; }
  bool integer(std::int64_t& value, std::int64_t low);
  bool natural(std::uint64_t& value);
  bool real(double& value);
  bool digest(Digest& digest);

 private:
  bool byte(std::size_t value) {
    if (rest_.empty() || rest_[0] != value) return false;
    skip(1);
    return true;
  }
  template <typename Unsigned>
  std::optional<Unsigned> big_endian() {
    if (rest_.size() < sizeof(Unsigned)) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Unsigned); ++i) value = value << 8U | rest_[i];
    skip(sizeof(Unsigned));
    return static_cast<Unsigned>(value);
  }

  std::span<const std::uint8_t> rest_;
};

}  // namespace lrtune::wire
