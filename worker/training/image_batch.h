// Bytes of images: gathering samples into a batch, random shifts and flips, sums over a part of a
// data set. No LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lrtune {

// Images lie sample after sample, in each rows x columns x channels: the order of channels-last
// memory, so that a batch becomes network input by one conversion.
struct ImageSize {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t channels = 0;
  std::int64_t bytes() const { return rows * columns * channels; }
  bool operator==(const ImageSize&) const = default;
};

// Where sample number i of a batch is cut out of its padded image: this many pixels right and down
// of the image itself, from -pad to pad; and whether it is mirrored, left to right, after that.
struct Placement {
  int right = 0;
  int down = 0;
  bool mirrored = false;
  bool operator==(const Placement&) const = default;
};

// The placement of the sample at `position` of the batch of `iteration`: a function of these
// arguments. Without `flip` nothing is mirrored.
Placement random_placement(std::uint64_t seed, std::int64_t iteration, std::int64_t position,
                           int pad, bool flip);

// Copies the images `samples` of `images` into `out`, each at its placement, black where it reaches
// over the edge. REQUIRES: placements.size() and out's images are as many as samples.
void copy_images(std::span<const std::uint8_t> images, const ImageSize& size,
                 std::span<const std::int64_t> samples, std::span<const Placement> placements,
                 std::span<std::uint8_t> out);

// Of the training part of a data set. Sums are exact, in whole numbers, so they do not depend on
// the order of samples.
struct ImageStatistics {
  std::vector<double> mean_image;  // of x, rows x columns x channels
  std::vector<double> mean;        // of x / 255, one a channel
  std::vector<double> deviation;   // of the population
};

// REQUIRES: at least one sample, at most 2^24.
ImageStatistics image_statistics(std::span<const std::uint8_t> images, const ImageSize& size,
                                 std::span<const std::int64_t> samples);

}  // namespace lrtune
