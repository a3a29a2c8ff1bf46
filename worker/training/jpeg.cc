#include "worker/training/jpeg.h"

#include <fmt/format.h>
#include <turbojpeg.h>

#include <array>
#include <memory>
#include <string_view>
#include <type_traits>

#include "worker/training/exif.h"

namespace lrtune {
namespace {

constexpr std::size_t kMostBytes = std::size_t{256} << 20;

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Decompressor = std::unique_ptr<std::remove_pointer_t<tjhandle>, Destroy>;

Error last_error(const Decompressor& decompressor) {
  return Error{fmt::format("cannot be decoded: {}", tjGetErrorStr2(decompressor.get()))};
}

// libjpeg's warnings after which every pixel is still there; all others mean damage. Only the
// first warning of an image is known.
bool is_harmless(std::string_view warning) {
  constexpr std::array<std::string_view, 4> kHarmless = {
      "extraneous bytes before marker", "Invalid SOS parameters", "Unknown Adobe color transform",
      "unknown JFIF revision"};
  for (const std::string_view words : kHarmless) {
    if (warning.find(words) != std::string_view::npos) return true;
  }
  return false;
}

// `format` is one of turbojpeg.h; the pixels are in it.
Result<RgbImage> decompress(const Decompressor& decompressor, std::span<const std::uint8_t> jpeg,
                            const JpegHeader& header, int eighths, int format) {
  const tjscalingfactor factor{eighths, 8};
  RgbImage image{.rows = TJSCALED(header.rows, factor),
                 .columns = TJSCALED(header.columns, factor),
                 .pixels = {}};
  const std::size_t bytes = static_cast<std::size_t>(image.rows) *
                            static_cast<std::size_t>(image.columns) *
                            static_cast<std::size_t>(tjPixelSize[format]);
  if (bytes > kMostBytes) {
    return fail(fmt::format("is too large: decoded, its {} x {} pixels take more than {} MiB",
                            header.columns, header.rows, kMostBytes >> 20));
  }
  image.pixels.resize(bytes);
  if (tjDecompress2(decompressor.get(), jpeg.data(), jpeg.size(), image.pixels.data(),
                    image.columns, 0, image.rows, format, TJFLAG_ACCURATEDCT) != 0 &&
      (tjGetErrorCode(decompressor.get()) != TJERR_WARNING ||
       !is_harmless(tjGetErrorStr2(decompressor.get())))) {
    return tl::unexpected(last_error(decompressor));
  }
  return image;
}

// a * b / 255, rounded, as Pillow's MULDIV255.
int product(int a, int b) {
  const int sum = a * b + 128;
  return ((sum >> 8) + sum) >> 8;
}

// In place: four bytes a pixel become three.
void cmyk_to_rgb(std::vector<std::uint8_t>& pixels) {
  std::size_t out = 0;
  for (std::size_t in = 0; in + 3 < pixels.size(); in += 4) {
    const int black = pixels[in + 3];  // inverted: 255 is no ink
    for (std::size_t c = 0; c < 3; ++c) {
      pixels[out++] = static_cast<std::uint8_t>(black - product(255 - pixels[in + c], black));
    }
  }
  pixels.resize(out);
}

struct Opened {
  Decompressor decompressor;
  JpegHeader header;
  int colour_space = 0;
};

Result<Opened> open(std::span<const std::uint8_t> jpeg) {
  Opened opened{.decompressor = Decompressor(tjInitDecompress()), .header = {}};
  if (opened.decompressor == nullptr) return fail("libturbojpeg cannot be set up");
  int subsampling = 0;
  if (tjDecompressHeader3(opened.decompressor.get(), jpeg.data(), jpeg.size(),
                          &opened.header.columns, &opened.header.rows, &subsampling,
                          &opened.colour_space) != 0 &&
      tjGetErrorCode(opened.decompressor.get()) != TJERR_WARNING) {
    return tl::unexpected(last_error(opened.decompressor));
  }
  if (opened.header.columns < 1 || opened.header.rows < 1)
    return fail("cannot be decoded: it has no pixels");
  opened.header.orientation = exif_orientation(jpeg);
  return opened;
}

}  // namespace

Result<JpegHeader> read_jpeg_header(std::span<const std::uint8_t> jpeg) {
  const auto opened = open(jpeg);
  if (!opened) return tl::unexpected(opened.error());
  return opened->header;
}

Result<RgbImage> decode_jpeg(std::span<const std::uint8_t> jpeg, const JpegHeader& header,
                             int eighths) {
  const auto opened = open(jpeg);
  if (!opened) return tl::unexpected(opened.error());
  const bool four = opened->colour_space == TJCS_CMYK || opened->colour_space == TJCS_YCCK;
  auto image = decompress(opened->decompressor, jpeg, header, eighths, four ? TJPF_CMYK : TJPF_RGB);
  if (image && four) cmyk_to_rgb(image->pixels);
  return image;
}

}  // namespace lrtune
