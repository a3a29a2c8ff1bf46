// How a photograph is to be turned, as EXIF 2.3 says it within a JPEG. No LibTorch.
#pragma once

#include <cstdint>
#include <span>

namespace lrtune {

// 1 .. 8 as in EXIF's tag Orientation; 1 (as it is stored) if there is no such tag or it is not
// as the standard wants it: it decides how a picture lies, not whether it can be read.
int exif_orientation(std::span<const std::uint8_t> jpeg);

// Where a pixel of the picture as it is shown lies in what is stored.
struct Turn {
  bool swapped = false;   // rows and columns change places, before the mirroring below
  bool mirrored = false;  // stored columns run from right to left
  bool flipped = false;   // stored rows run from bottom to top
  bool operator==(const Turn&) const = default;
};
Turn turn_of(int orientation);  // REQUIRES: 1 .. 8

}  // namespace lrtune
