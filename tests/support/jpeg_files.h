// JPEGs made with libturbojpeg, whole and damaged, and small folders of them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "tests/support/image_files.h"

namespace lrtune {

struct Pixels {
  int rows = 0;
  int columns = 0;
  Bytes bytes;  // rows x columns x channels
};

// One colour everywhere, as many channels as `colour` has.
Pixels solid(int rows, int columns, const Bytes& colour);
// Red, green, blue and white quarters: top left, top right, bottom left, bottom right.
Pixels quarters(int rows, int columns);

Bytes jpeg_of(const Pixels& rgb, int quality = 95);  // not subsampled
Bytes grey_jpeg_of(const Pixels& rgb);
Bytes cmyk_jpeg_of(const Pixels& cmyk);  // inverted, with Adobe's marker

// EXIF with this orientation and, before it, another tag.
Bytes with_orientation(const Bytes& jpeg, int orientation, bool big_endian = false);
Bytes without_end(const Bytes& jpeg, std::size_t bytes);  // cut short by so many
// So many bytes that mean nothing, before the last marker.
Bytes with_bytes_before_end(const Bytes& jpeg, std::size_t bytes);

struct JpegFolderOptions {
  int train = 12;  // of each class
  int val = 4;
  std::uint64_t seed = 1;
};
// train/ and val/ with the classes blue, green and red, whose images have the colour over noise and
// sides from 24 to 60 pixels: CLASS/00.jpg, CLASS/01.JPEG, CLASS/02.jpg ...
void write_jpeg_folder(const std::filesystem::path& folder, const JpegFolderOptions& options = {});

}  // namespace lrtune
