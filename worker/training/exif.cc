#include "worker/training/exif.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace lrtune {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kStartOfScan = 0xDA;
constexpr std::uint8_t kApp1 = 0xE1;
constexpr std::string_view kExif("Exif\0\0", 6);
constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kShort = 3;      // TIFF's type of two bytes
constexpr std::size_t kEntryBytes = 12;  // of a TIFF directory
constexpr std::size_t kTiffHeaderBytes = 8;

// TIFF's numbers in the order of bytes that its header names. REQUIRES: they lie within.
class Tiff {
 public:
  Tiff(Bytes bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}
  std::uint32_t number(std::size_t at, std::size_t width) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      value = value << 8 | bytes_[at + (big_endian_ ? i : width - 1 - i)];
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool big_endian_;
};

int orientation_in_tiff(Bytes bytes) {
  if (bytes.size() < kTiffHeaderBytes) return 1;
  const bool big_endian = bytes[0] == 'M';
  if (bytes[0] != bytes[1] || (bytes[0] != 'M' && bytes[0] != 'I')) return 1;
  const Tiff tiff(bytes, big_endian);
  const std::size_t directory = tiff.number(4, 4);
  if (tiff.number(2, 2) != 42 || directory > bytes.size() - 2) return 1;
  const std::size_t entries = tiff.number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > bytes.size()) return 1;
    if (tiff.number(entry, 2) != kOrientationTag) continue;
    const std::uint32_t value = tiff.number(entry + 8, 2);
    const bool fits = tiff.number(entry + 2, 2) == kShort && tiff.number(entry + 4, 4) == 1 &&
                      value >= 1 && value <= 8;
    return fits ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

int exif_orientation(Bytes jpeg) {
  std::size_t at = 2;  // after the start of the image
  while (at + 4 <= jpeg.size() && jpeg[at] == 0xFF) {
    const std::uint8_t marker = jpeg[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    const std::size_t length = std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];  // with its own bytes
    if (marker == kStartOfScan || length < 2 || at + 2 + length > jpeg.size()) return 1;
    const Bytes segment = jpeg.subspan(at + 4, length - 2);
    if (marker == kApp1 && segment.size() >= kExif.size() &&
        std::equal(kExif.begin(), kExif.end(), segment.begin())) {
      return orientation_in_tiff(segment.subspan(kExif.size()));
    }
    at += 2 + length;
  }
  return 1;
}

Turn turn_of(int orientation) {
  return {.swapped = orientation >= 5,
          .mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8,
          .flipped = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7};
}

}  // namespace lrtune
