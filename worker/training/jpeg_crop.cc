#include "worker/training/jpeg_crop.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "common/random.h"
#include "worker/training/exif.h"

namespace lrtune {
namespace {

constexpr double kLeastRatio = 3.0 / 4;
constexpr double kMostRatio = 4.0 / 3;
constexpr int kTries = 10;
constexpr std::uint64_t kDrawsOfAnImage = 64;  // more than four for each try

// The draws of one image, one after the other.
class CropDraws {
 public:
  explicit CropDraws(const CropKey& key)
      : key_(key), next_(static_cast<std::uint64_t>(key.position) * kDrawsOfAnImage) {}
  double unit() {
    return random_unit("crop", key_.seed, static_cast<std::uint64_t>(key_.iteration), next_++);
  }
  int below(int bound) { return static_cast<int>(unit() * bound); }

 private:
  const CropKey& key_;
  std::uint64_t next_;
};

int rounded(double value) { return static_cast<int>(std::nearbyint(value)); }  // to even, as Python

Box centred(int columns, int rows, int width, int height) {
  return {static_cast<double>((columns - width) / 2), static_cast<double>((rows - height) / 2),
          static_cast<double>(width), static_cast<double>(height)};
}

// From the image as it is shown to the image as it is stored.
Box stored_box(const Box& shown, const JpegHeader& header, const Turn& turn) {
  Box box = shown;
  if (turn.swapped) box = {shown.top, shown.left, shown.height, shown.width};
  if (turn.mirrored) box.left = header.columns - box.left - box.width;
  if (turn.flipped) box.top = header.rows - box.top - box.height;
  return box;
}

// A square image as stored to the same as shown, and mirrored after that.
void turn_square(std::span<const std::uint8_t> stored, int side, const Turn& turn, bool mirrored,
                 std::span<std::uint8_t> out) {
  std::uint8_t* to = out.data();
  for (int row = 0; row < side; ++row) {
    for (int i = 0; i < side; ++i) {
      const int column = mirrored ? side - 1 - i : i;
      int x = turn.swapped ? row : column;
      int y = turn.swapped ? column : row;
      if (turn.mirrored) x = side - 1 - x;
      if (turn.flipped) y = side - 1 - y;
      to = std::copy_n(stored.data() + (static_cast<std::ptrdiff_t>(y) * side + x) * 3, 3, to);
    }
  }
}

// The smallest size, in eighths, at which the box still has `side` pixels either way.
int eighths_for(const Box& box, int side) {
  for (const int eighths : {1, 2, 4}) {
    if (std::min(box.width, box.height) * eighths >= 8.0 * side) return eighths;
  }
  return 8;
}

Result<void> cut(std::span<const std::uint8_t> jpeg, const JpegHeader& header, const Box& shown,
                 bool mirrored, int side, std::span<std::uint8_t> out) {
  const Turn turn = turn_of(header.orientation);
  Box box = stored_box(shown, header, turn);
  const int eighths = eighths_for(box, side);
  const auto image = decode_jpeg(jpeg, header, eighths);
  if (!image) return tl::unexpected(image.error());
  const double scale = eighths / 8.0;
  box = {box.left * scale, box.top * scale, box.width * scale, box.height * scale};
  if (turn == Turn{} && !mirrored) {
    resample(*image, box, side, out);
    return {};
  }
  std::vector<std::uint8_t> stored(out.size());
  resample(*image, box, side, stored);
  turn_square(stored, side, turn, mirrored, out);
  return {};
}

struct Shown {
  int columns = 0;
  int rows = 0;
};

Shown shown_size(const JpegHeader& header) {
  if (turn_of(header.orientation).swapped) return {header.rows, header.columns};
  return {header.columns, header.rows};
}

}  // namespace

Box random_box(int columns, int rows, double area, const CropKey& key) {
  CropDraws draws(key);
  const double pixels = static_cast<double>(columns) * rows;
  const double low = std::log(kLeastRatio);
  const double high = std::log(kMostRatio);
  for (int i = 0; i < kTries; ++i) {
    const double target = pixels * (area + (1 - area) * draws.unit());
    const double ratio = std::exp(low + (high - low) * draws.unit());
    const int width = rounded(std::sqrt(target * ratio));
    const int height = rounded(std::sqrt(target / ratio));
    if (width < 1 || width > columns || height < 1 || height > rows) continue;
    const int top = draws.below(rows - height + 1);
    const int left = draws.below(columns - width + 1);
    return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(width),
            static_cast<double>(height)};
  }
  const double ratio = static_cast<double>(columns) / rows;
  if (ratio < kLeastRatio) {
    return centred(columns, rows, columns, std::min(rows, rounded(columns / kLeastRatio)));
  }
  if (ratio > kMostRatio) {
    return centred(columns, rows, std::min(columns, rounded(rows * kMostRatio)), rows);
  }
  return centred(columns, rows, columns, rows);
}

Box centre_box(int columns, int rows, int size, int resize) {
  const auto longer = [&](int longer_side, int shorter_side) {  // torchvision cuts the fraction off
    return static_cast<int>(static_cast<std::int64_t>(resize) * longer_side / shorter_side);
  };
  const int new_columns = columns <= rows ? resize : longer(columns, rows);
  const int new_rows = columns <= rows ? longer(rows, columns) : resize;
  const double across = static_cast<double>(columns) / new_columns;
  const double down = static_cast<double>(rows) / new_rows;
  return {rounded((new_columns - size) / 2.0) * across, rounded((new_rows - size) / 2.0) * down,
          size * across, size * down};
}

Result<void> training_image(std::span<const std::uint8_t> jpeg, const InputSpec& input,
                            const CropKey& key, std::span<std::uint8_t> out) {
  const auto header = read_jpeg_header(jpeg);
  if (!header) return tl::unexpected(header.error());
  const Shown shown = shown_size(*header);
  const Box box = input.augment.area > 0
                      ? random_box(shown.columns, shown.rows, input.augment.area, key)
                      : centre_box(shown.columns, shown.rows, input.size, input.resize);
  const bool mirrored =
      input.augment.flip && random_bits("flip", key.seed, static_cast<std::uint64_t>(key.iteration),
                                        static_cast<std::uint64_t>(key.position)) >>
                                    63 !=
                                0;
  return cut(jpeg, *header, box, mirrored, input.size, out);
}

Result<void> evaluation_image(std::span<const std::uint8_t> jpeg, const InputSpec& input,
                              std::span<std::uint8_t> out) {
  const auto header = read_jpeg_header(jpeg);
  if (!header) return tl::unexpected(header.error());
  const Shown shown = shown_size(*header);
  return cut(jpeg, *header, centre_box(shown.columns, shown.rows, input.size, input.resize), false,
             input.size, out);
}

}  // namespace lrtune
