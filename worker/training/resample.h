// Shrinking and enlarging images by a triangle filter: "bilinear with antialiasing" of Pillow and
// torchvision. No LibTorch.
#pragma once

#include <cstdint>
#include <span>

#include "worker/training/jpeg.h"

namespace lrtune {

// Part of an image in pixels, whose borders may lie within pixels.
struct Box {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
  bool operator==(const Box&) const = default;
};

// `box` of `image` as side x side pixels in `out` (side x side x 3), by Pillow's algorithm
// (Image.resize with a box): columns, then rows, in fixed-point numbers of 22 bits, both rounded to
// bytes. Pixels beside the box count where the filter reaches over its border. REQUIRES: the box
// lies within the image and is not empty.
void resample(const RgbImage& image, const Box& box, int side, std::span<std::uint8_t> out);

}  // namespace lrtune
