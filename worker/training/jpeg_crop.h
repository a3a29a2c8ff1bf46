// From a JPEG to the square that a network sees: which part of the image, decoded at a size just
// above what is needed, turned as EXIF says, resampled, mirrored. The result is a function of the
// arguments. Any thread. No LibTorch.
#pragma once

#include <cstdint>
#include <span>

#include "common/result.h"
#include "common/training/input_spec.h"
#include "worker/training/resample.h"

namespace lrtune {

// Which draw of the randomness of a job: that of the sample at `position` of the batch of
// `iteration`.
struct CropKey {
  std::uint64_t seed = 0;
  std::int64_t iteration = 0;
  std::int64_t position = 0;
};

// torchvision's RandomResizedCrop, in the image as it is shown: a share of the area uniform in
// [area, 1], a ratio of the sides from 3/4 to 4/3 uniform in its logarithm, ten tries, then the
// largest centred part with such a ratio. Sides are whole pixels.
Box random_box(int columns, int rows, double area, const CropKey& key);

// The centre `size` x `size` of the image after its shorter side became `resize` pixels, as
// torchvision's Resize and CenterCrop cut it, in pixels of the image itself.
Box centre_box(int columns, int rows, int size, int resize);

// `out`: input.size x input.size x 3. Errors: as read_jpeg_header and decode_jpeg.
Result<void> training_image(std::span<const std::uint8_t> jpeg, const InputSpec& input,
                            const CropKey& key, std::span<std::uint8_t> out);
Result<void> evaluation_image(std::span<const std::uint8_t> jpeg, const InputSpec& input,
                              std::span<std::uint8_t> out);

}  // namespace lrtune
