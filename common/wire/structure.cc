#include "common/wire/structure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>

#include "common/wire/codec.h"
#include "common/wire/utf8.h"

namespace lrtune::wire {
namespace {

enum class Shape : std::uint8_t { kScalar, kText, kBinary, kArray, kMap, kForbidden };

// What the first byte of a value says (MessagePack specification, "Formats").
struct Format {
  Shape shape = Shape::kForbidden;
  int extra = 0;             // bytes behind the first: a scalar's value, or a length, big end first
  std::uint32_t length = 0;  // the length, where the first byte holds it (extra == 0)
};

Format format_of(std::uint8_t byte) {
  if (byte <= 0x7F || byte >= 0xE0) return {Shape::kScalar};  // small integers
  if (byte <= 0x8F) return {Shape::kMap, 0, byte & 0x0FU};
  if (byte <= 0x9F) return {Shape::kArray, 0, byte & 0x0FU};
  if (byte <= 0xBF) return {Shape::kText, 0, byte & 0x1FU};
  switch (byte) {
    case 0xC0:  // nil, false, true
    case 0xC2:
    case 0xC3:
      return {Shape::kScalar};
    case 0xC4:
      return {Shape::kBinary, 1};
    case 0xC5:
      return {Shape::kBinary, 2};
    case 0xC6:
      return {Shape::kBinary, 4};
    case 0xCC:  // uint8, int8
    case 0xD0:
      return {Shape::kScalar, 1};
    case 0xCD:  // uint16, int16
    case 0xD1:
      return {Shape::kScalar, 2};
    case 0xCA:  // float32, uint32, int32
    case 0xCE:
    case 0xD2:
      return {Shape::kScalar, 4};
    case 0xCB:  // float64, uint64, int64
    case 0xCF:
    case 0xD3:
      return {Shape::kScalar, 8};
    case 0xD9:
      return {Shape::kText, 1};
    case 0xDA:
      return {Shape::kText, 2};
    case 0xDB:
      return {Shape::kText, 4};
    case 0xDC:
      return {Shape::kArray, 2};
    case 0xDD:
      return {Shape::kArray, 4};
    case 0xDE:
      return {Shape::kMap, 2};
    case 0xDF:
      return {Shape::kMap, 4};
    default:
      return {};  // 0xC1 and the extension types
  }
}

class Walk {
 public:
  explicit Walk(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  Result<void> run() {
    levels_[0].values_left = 1;
    while (depth_ > 0 || levels_[0].values_left > 0) {
      if (levels_[depth_].values_left == 0) {
        --depth_;
        continue;
      }
      if (auto step = value(); !step) return step;
    }
    if (at_ != bytes_.size()) return error("the frame goes on behind its value");
    return {};
  }

 private:
  struct Level {
    std::uint64_t values_left = 0;  // of a map: keys and values
    bool is_map = false;
    std::uint32_t keys = 0;
    std::array<std::string_view, kMaxMapKeys> names{};
  };

  tl::unexpected<Error> error(std::string_view what) const {
    return fail(fmt::format("malformed frame at byte {}: {}", at_, what));
  }

  Result<void> value() {
    Level& level = levels_[depth_];
    const bool is_key = level.is_map && level.values_left % 2 == 0;
    --level.values_left;
    if (at_ == bytes_.size()) return error("it ends within a value");
    const Format format = format_of(bytes_[at_]);
    if (format.shape == Shape::kForbidden) return error("extension types are not allowed");
    if (is_key && format.shape != Shape::kText) return error("a key must be a text");
    ++at_;
    if (bytes_.size() - at_ < static_cast<std::size_t>(format.extra)) return error("it is cut off");
    if (format.shape == Shape::kScalar) {
      at_ += static_cast<std::size_t>(format.extra);
      return {};
    }
    const std::uint32_t length = format.extra == 0 ? format.length : read_length(format.extra);
    if (format.shape == Shape::kArray || format.shape == Shape::kMap) {
      return enter(format.shape == Shape::kMap, length);
    }
    return bytes_of(format.shape, length, is_key);
  }

  std::uint32_t read_length(int size) {
    std::uint32_t length = 0;
    for (int i = 0; i < size; ++i) length = length << 8U | bytes_[at_++];
    return length;
  }

  Result<void> enter(bool is_map, std::uint32_t length) {
    if (depth_ == kMaxDepth) {
      return error(fmt::format("at most {} arrays and maps may be inside each other", kMaxDepth));
    }
    if (is_map && length > kMaxMapKeys) {
      return error(fmt::format("a map has at most {} keys, not {}", kMaxMapKeys, length));
    }
    Level& inner = levels_[++depth_];
    inner.values_left = is_map ? 2ULL * length : length;
    inner.is_map = is_map;
    inner.keys = 0;
    return {};
  }

  Result<void> bytes_of(Shape shape, std::uint32_t length, bool is_key) {
    if (bytes_.size() - at_ < length)
      return error(fmt::format("{} bytes are announced, fewer are there", length));
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    if (shape == Shape::kText && !is_utf8(text)) return error("a text is not UTF-8");
    if (is_key) {
      Level& level = levels_[depth_];
      const auto known = std::span(level.names).first(level.keys);
      if (std::find(known.begin(), known.end(), text) != known.end()) {
        return error(fmt::format("the key '{}' is there twice", text));
      }
      level.names[level.keys++] = text;
    }
    at_ += length;
    return {};
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::array<Level, kMaxDepth + 1> levels_{};
};

// A non-negative MessagePack integer at the start of `bytes`.
std::optional<std::uint64_t> unsigned_at_start(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return std::nullopt;
  if (bytes[0] <= 0x7F) return bytes[0];
  if (bytes[0] < 0xCC || bytes[0] > 0xCF) return std::nullopt;
  const std::size_t size = std::size_t{1} << (bytes[0] - 0xCCU);
  if (bytes.size() - 1 < size) return std::nullopt;
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes.subspan(1, size)) value = value << 8U | byte;
  return value;
}

}  // namespace

Result<void> check_structure(std::span<const std::uint8_t> bytes) { return Walk(bytes).run(); }

Result<std::int64_t> frame_version(std::span<const std::uint8_t> frame) {
  const auto none = fail("malformed frame: it does not start with a protocol version");
  if (frame.empty()) return fail("the frame is empty");
  const Format format = format_of(frame[0]);
  if (format.shape != Shape::kArray) return none;
  const auto header = 1 + static_cast<std::size_t>(format.extra);
  if (frame.size() <= header) return none;
  const auto version = unsigned_at_start(frame.subspan(header));
  if (!version || *version > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) return none;
  return static_cast<std::int64_t>(*version);
}

}  // namespace lrtune::wire
