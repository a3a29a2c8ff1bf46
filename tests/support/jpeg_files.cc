#include "tests/support/jpeg_files.h"

#include <fmt/format.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>
#include <string_view>

namespace lrtune {
namespace {

Bytes compressed(const Pixels& pixels, int format, int subsampling, int quality) {
  const tjhandle handle = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long bytes = 0;
  const int failed = tjCompress2(handle, pixels.bytes.data(), pixels.columns, 0, pixels.rows,
                                 format, &out, &bytes, subsampling, quality, TJFLAG_ACCURATEDCT);
  const Bytes jpeg = failed == 0 ? Bytes(out, out + bytes) : Bytes();
  tjFree(out);
  tjDestroy(handle);
  if (jpeg.empty()) throw std::runtime_error("libturbojpeg cannot compress");
  return jpeg;
}

void append(Bytes& bytes, std::uint32_t value, std::size_t width, bool big_endian) {
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t place = big_endian ? width - 1 - i : i;
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * place)));
  }
}

}  // namespace

Pixels solid(int rows, int columns, const Bytes& colour) {
  Pixels pixels{rows, columns, {}};
  for (int i = 0; i < rows * columns; ++i) {
    pixels.bytes.insert(pixels.bytes.end(), colour.begin(), colour.end());
  }
  return pixels;
}

Pixels quarters(int rows, int columns) {
  const std::array<Bytes, 4> colours = {Bytes{255, 0, 0}, Bytes{0, 255, 0}, Bytes{0, 0, 255},
                                        Bytes{255, 255, 255}};
  Pixels pixels{rows, columns, {}};
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const auto quarter =
          static_cast<std::size_t>((row < rows / 2 ? 0 : 2) + (column < columns / 2 ? 0 : 1));
      const Bytes& colour = colours[quarter];
      pixels.bytes.insert(pixels.bytes.end(), colour.begin(), colour.end());
    }
  }
  return pixels;
}

Bytes jpeg_of(const Pixels& rgb, int quality) {
  return compressed(rgb, TJPF_RGB, TJSAMP_444, quality);
}
Bytes grey_jpeg_of(const Pixels& rgb) { return compressed(rgb, TJPF_RGB, TJSAMP_GRAY, 95); }
Bytes cmyk_jpeg_of(const Pixels& cmyk) { return compressed(cmyk, TJPF_CMYK, TJSAMP_444, 95); }

Bytes with_orientation(const Bytes& jpeg, int orientation, bool big_endian) {
  constexpr std::string_view kStart("Exif\0\0", 6);
  Bytes segment(kStart.begin(), kStart.end());
  segment.insert(segment.end(), 2, big_endian ? 'M' : 'I');
  const auto number = [&](std::uint32_t value, std::size_t width) {
    append(segment, value, width, big_endian);
  };
  number(42, 2);
  number(8, 4);  // where the directory is
  number(2, 2);  // its entries
  for (const auto& [tag, value] :
       {std::pair(0x0100u, 7u), {0x0112u, static_cast<std::uint32_t>(orientation)}}) {
    number(tag, 2);
    number(3, 2);
    number(1, 4);
    number(value, 2);
    number(0, 2);
  }
  number(0, 4);  // no other directory
  Bytes whole(jpeg.begin(), jpeg.begin() + 2);
  whole.insert(whole.end(), {0xFF, 0xE1});
  append(whole, static_cast<std::uint32_t>(segment.size() + 2), 2, true);
  whole.insert(whole.end(), segment.begin(), segment.end());
  whole.insert(whole.end(), jpeg.begin() + 2, jpeg.end());
  return whole;
}

Bytes without_end(const Bytes& jpeg, std::size_t bytes) {
  return {jpeg.begin(), jpeg.end() - static_cast<std::ptrdiff_t>(bytes)};
}

Bytes with_bytes_before_end(const Bytes& jpeg, std::size_t bytes) {
  Bytes longer(jpeg.begin(), jpeg.end() - 2);
  longer.insert(longer.end(), bytes, 7);
  longer.insert(longer.end(), jpeg.end() - 2, jpeg.end());
  return longer;
}

void write_jpeg_folder(const std::filesystem::path& folder, const JpegFolderOptions& options) {
  std::mt19937_64 random(options.seed);
  const auto below = [&](std::uint64_t bound) { return static_cast<int>(random() % bound); };
  const std::array<std::string_view, 3> classes = {"blue", "green", "red"};
  for (const std::string_view part : {"train", "val"}) {
    for (std::size_t label = 0; label < classes.size(); ++label) {
      for (int i = 0; i < (part == "train" ? options.train : options.val); ++i) {
        Pixels image = solid(24 + below(37), 24 + below(37), {0, 0, 0});
        for (std::size_t at = 0; at < image.bytes.size(); ++at) {
          const bool bright = at % 3 == 2 - label;
          image.bytes[at] = static_cast<std::uint8_t>((bright ? 150 : 0) + below(100));
        }
        const auto place = folder / part / classes[label];
        std::filesystem::create_directories(place);
        write_bytes(place / fmt::format("{:02}.{}", i, i == 1 ? "JPEG" : "jpg"), jpeg_of(image));
      }
    }
  }
}

}  // namespace lrtune
