#include "worker/training/image_batch.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "common/random.h"

namespace lrtune {
namespace {

// 0 .. bound-1 from 31 random bits; the bias is below bound / 2^31.
int below(std::uint64_t bits31, int bound) {
  return static_cast<int>((bits31 * static_cast<std::uint64_t>(bound)) >> 31);
}

// Row of `out` from the row `row` of the image, black outside of it.
void copy_row(const std::uint8_t* image, const ImageSize& size, std::int64_t row,
              const Placement& place, std::uint8_t* out) {
  const auto row_bytes = static_cast<std::size_t>(size.columns * size.channels);
  const std::int64_t first = std::max<std::int64_t>(0, -place.right);  // columns of `out`
  const std::int64_t last = std::min(size.columns, size.columns - place.right);
  if (row < 0 || row >= size.rows || first >= last) {
    std::memset(out, 0, row_bytes);
    return;
  }
  std::memset(out, 0, static_cast<std::size_t>(first * size.channels));
  std::memcpy(out + first * size.channels,
              image + (row * size.columns + first + place.right) * size.channels,
              static_cast<std::size_t>((last - first) * size.channels));
  std::memset(out + last * size.channels, 0,
              static_cast<std::size_t>((size.columns - last) * size.channels));
}

void mirror_row(const ImageSize& size, std::uint8_t* row) {
  std::uint8_t* left = row;
  std::uint8_t* right = row + (size.columns - 1) * size.channels;
  for (; left < right; left += size.channels, right -= size.channels) {
    std::swap_ranges(left, left + size.channels, right);
  }
}

}  // namespace

Placement random_placement(std::uint64_t seed, std::int64_t iteration, std::int64_t position,
                           int pad, bool flip) {
  const std::uint64_t bits = random_bits("placement", seed, static_cast<std::uint64_t>(iteration),
                                         static_cast<std::uint64_t>(position));
  constexpr std::uint64_t kMask = (std::uint64_t{1} << 31) - 1;
  return {.right = below(bits & kMask, 2 * pad + 1) - pad,
          .down = below((bits >> 31) & kMask, 2 * pad + 1) - pad,
          .mirrored = flip && (bits >> 63) != 0};
}

void copy_images(std::span<const std::uint8_t> images, const ImageSize& size,
                 std::span<const std::int64_t> samples, std::span<const Placement> placements,
                 std::span<std::uint8_t> out) {
  std::uint8_t* row_out = out.data();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::uint8_t* image = images.data() + samples[i] * size.bytes();
    const Placement& place = placements[i];
    for (std::int64_t row = 0; row < size.rows; ++row) {
      copy_row(image, size, row + place.down, place, row_out);
      if (place.mirrored) mirror_row(size, row_out);
      row_out += size.columns * size.channels;
    }
  }
}

ImageStatistics image_statistics(std::span<const std::uint8_t> images, const ImageSize& size,
                                 std::span<const std::int64_t> samples) {
  const auto values = static_cast<std::size_t>(size.bytes());
  const auto channels = static_cast<std::size_t>(size.channels);
  std::vector<std::uint32_t> sums(values);  // 255 * 2^24 < 2^32
  std::vector<std::uint64_t> squares(channels);
  for (const std::int64_t sample : samples) {
    const std::uint8_t* image = images.data() + sample * size.bytes();
    for (std::size_t i = 0; i < values; ++i) sums[i] += image[i];
    for (std::size_t c = 0; c < channels; ++c) {
      std::uint64_t sum = 0;
      for (std::size_t i = c; i < values; i += channels) sum += std::uint32_t{image[i]} * image[i];
      squares[c] += sum;
    }
  }
  const auto count = static_cast<double>(samples.size());
  ImageStatistics statistics;
  for (const std::uint32_t sum : sums) statistics.mean_image.push_back(sum / count);
  for (std::size_t c = 0; c < channels; ++c) {
    std::uint64_t sum = 0;
    for (std::size_t i = c; i < values; i += channels) sum += sums[i];
    const double pixels = count * static_cast<double>(values / channels);
    const double mean = static_cast<double>(sum) / pixels;
    const double variance = static_cast<double>(squares[c]) / pixels - mean * mean;
    statistics.mean.push_back(mean / 255);
    statistics.deviation.push_back(std::sqrt(std::max(0.0, variance)) / 255);
  }
  return statistics;
}

}  // namespace lrtune
