#include "worker/training/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace lrtune {
namespace {

constexpr int kPrecisionBits = 22;  // a byte, the filter's weights and two bits to spare in 32
constexpr std::size_t kChannels = 3;

// The weights of one pixel of the result, over pixels first, first + 1 ... of the image.
struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;  // sum about 2^kPrecisionBits
};

// Of `size` pixels, `length` of which, from `start` on, become `side`.
std::vector<Taps> taps_of(int size, double start, double length, int side) {
  const double scale = length / side;
  const double support = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<std::size_t>(side));
  std::vector<double> weights;
  for (int i = 0; i < side; ++i) {
    const double centre = start + (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int last = std::min(size, static_cast<int>(centre + support + 0.5));
    weights.clear();
    double sum = 0;
    for (int x = first; x < last; ++x) {
      weights.push_back(std::max(0.0, 1 - std::abs((x - centre + 0.5) / support)));
      sum += weights.back();
    }
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    for (const double weight : weights) {
      taps.weights.push_back(
          static_cast<std::int32_t>(std::lround(weight / sum * (1 << kPrecisionBits))));
    }
  }
  return all;
}

// The weighted sum of pixels that lie `stride` bytes apart.
std::uint8_t sum_of(const std::uint8_t* first, std::size_t stride, const Taps& taps) {
  std::int32_t sum = 1 << (kPrecisionBits - 1);
  for (const std::int32_t weight : taps.weights) {
    sum += *first * weight;
    first += stride;
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

}  // namespace

void resample(const RgbImage& image, const Box& box, int side, std::span<std::uint8_t> out) {
  const auto columns = taps_of(image.columns, box.left, box.width, side);
  const auto rows = taps_of(image.rows, box.top, box.height, side);
  const std::size_t in_bytes = static_cast<std::size_t>(image.columns) * kChannels;
  const std::size_t row_bytes = static_cast<std::size_t>(side) * kChannels;
  const int first = rows.front().first;  // rows before it and after `last` are not looked at
  const int last = rows.back().first + static_cast<int>(rows.back().weights.size());
  std::vector<std::uint8_t> narrowed(static_cast<std::size_t>(last - first) * row_bytes);
  std::uint8_t* to = narrowed.data();
  for (int row = first; row < last; ++row) {
    const std::uint8_t* from = image.pixels.data() + static_cast<std::size_t>(row) * in_bytes;
    for (const Taps& taps : columns) {
      const std::uint8_t* pixel = from + static_cast<std::size_t>(taps.first) * kChannels;
      for (std::size_t c = 0; c < kChannels; ++c) *to++ = sum_of(pixel + c, kChannels, taps);
    }
  }
  to = out.data();
  for (const Taps& taps : rows) {
    const std::uint8_t* from =
        narrowed.data() + static_cast<std::size_t>(taps.first - first) * row_bytes;
    for (std::size_t i = 0; i < row_bytes; ++i) *to++ = sum_of(from + i, row_bytes, taps);
  }
}

}  // namespace lrtune
