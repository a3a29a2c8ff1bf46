#include "common/wire/pack.h"

namespace lrtune::wire {

void PackWriter::text(std::string_view text) {
  if (text.size() <= 31) {
    byte(0xA0U | text.size());
  } else if (text.size() <= 0xFF) {
    byte(0xD9);
    byte(text.size());
  } else {
    byte(0xDA);
    big_endian(static_cast<std::uint16_t>(text.size()));
  }
  bytes_.insert(bytes_.end(), text.begin(), text.end());
}

void PackWriter::natural(std::uint64_t value) {
  if (value < 128) {
    byte(value);
  } else if (value <= std::numeric_limits<std::uint8_t>::max()) {
    byte(0xCC);
    byte(value);
  } else if (value <= std::numeric_limits<std::uint16_t>::max()) {
    byte(0xCD);
    big_endian(static_cast<std::uint16_t>(value));
  } else if (value <= std::numeric_limits<std::uint32_t>::max()) {
    byte(0xCE);
    big_endian(static_cast<std::uint32_t>(value));
  } else {
    byte(0xCF);
    big_endian(value);
  }
}

void PackWriter::negative(std::int64_t value) {
  if (value >= -32) {
    byte(static_cast<std::uint8_t>(value));
  } else if (value >= std::numeric_limits<std::int8_t>::min()) {
    byte(0xD0);
    byte(static_cast<std::uint8_t>(value));
  } else if (value >= std::numeric_limits<std::int16_t>::min()) {
    byte(0xD1);
    big_endian(static_cast<std::uint16_t>(value));
  } else if (value >= std::numeric_limits<std::int32_t>::min()) {
    byte(0xD2);
    big_endian(static_cast<std::uint32_t>(value));
  } else {
    byte(0xD3);
    big_endian(static_cast<std::uint64_t>(value));
  }
}

// As a float where that is the same number.
void PackWriter::real(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  if (value >= -kMost && value <= kMost &&
      static_cast<double>(static_cast<float>(value)) == value) {
    byte(0xCA);
    big_endian(std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  } else {
    byte(0xCB);
    big_endian(std::bit_cast<std::uint64_t>(value));
  }
}

std::optional<std::size_t> PackReader::map_of_any() {
  if (rest_.empty() || rest_[0] < 0x80 || rest_[0] > 0x8F) return std::nullopt;
  const std::size_t keys = rest_[0] & 0x0FU;
  skip(1);
  return keys;
}

std::optional<std::string_view> PackReader::text() {
  std::size_t size = 0;
  if (!rest_.empty() && rest_[0] >= 0xA0 && rest_[0] <= 0xBF) {
    size = rest_[0] & 0x1FU;
    skip(1);
  } else if (rest_.size() >= 2 && rest_[0] == 0xD9) {
    size = rest_[1];
    skip(2);
  } else {
    return std::nullopt;
  }
  if (rest_.size() < size) return std::nullopt;
  const std::string_view text(reinterpret_cast<const char*>(rest_.data()), size);
  skip(size);
  return text;
}

bool PackReader::natural(std::uint64_t& value) {
  if (rest_.empty()) return false;
  const std::uint8_t first = rest_[0];
  const auto take = [&value](auto read) {
    if (read) value = *read;
    return read.has_value();
  };
  if (first > 0x7F && (first < 0xCC || first > 0xCF)) return false;
  skip(1);
  switch (first) {
    case 0xCC:
      return take(big_endian<std::uint8_t>());
    case 0xCD:
      return take(big_endian<std::uint16_t>());
    case 0xCE:
      return take(big_endian<std::uint32_t>());
    case 0xCF:
      return take(big_endian<std::uint64_t>());
    default:
      value = first;
      return true;
  }
}

bool PackReader::integer(std::int64_t& value, std::int64_t low) {
  std::uint64_t number = 0;
  if (!natural(number) || number > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
    return false;
  value = static_cast<std::int64_t>(number);
  return value >= low;
}

bool PackReader::real(double& value) {
  if (byte(0xCA)) {
    const auto bits = big_endian<std::uint32_t>();
    if (bits) value = std::bit_cast<float>(*bits);
    return bits.has_value();
  }
  if (!byte(0xCB)) return false;
  const auto bits = big_endian<std::uint64_t>();
  if (bits) value = std::bit_cast<double>(*bits);
  return bits.has_value();
}

bool PackReader::digest(Digest& digest) {
  if (!byte(0xC4) || !byte(digest.bytes.size()) || rest_.size() < digest.bytes.size()) return false;
  std::memcpy(digest.bytes.data(), rest_.data(), digest.bytes.size());
  skip(digest.bytes.size());
  return true;
}

}  // namespace lrtune::wire
