// JPEGs to RGB, through libturbojpeg. Any thread; nothing is kept between images. No LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/result.h"

namespace lrtune {

struct JpegHeader {
  int rows = 0;         // as stored
  int columns = 0;      // as stored
  int orientation = 1;  // exif.h
};

// Errors: no JPEG, or one that libturbojpeg does not know (12 bits, lossless, arithmetic).
Result<JpegHeader> read_jpeg_header(std::span<const std::uint8_t> jpeg);

struct RgbImage {
  int rows = 0;
  int columns = 0;
  std::vector<std::uint8_t> pixels;  // rows x columns x 3
};

// The image at eighths/8 of its size, sides rounded up, as stored: not turned. Grey is spread over
// the three channels. CMYK and YCCK become RGB as Pillow does it: stored inverted, as Adobe does,
// and red = cyan * black. The exact integer transform decodes, so that the bytes are the same on
// every processor.
//
// Errors: data that are cut short or damaged (bytes too many between two markers are passed over),
// or an image that would take more than 256 MiB. REQUIRES: eighths is 1, 2, 4 or 8, the sizes that
// libturbojpeg decodes fast; `header` is that of `jpeg`.
Result<RgbImage> decode_jpeg(std::span<const std::uint8_t> jpeg, const JpegHeader& header,
                             int eighths);

}  // namespace lrtune
