// From the bytes of images to what a network takes.
#pragma once

#include <optional>

#include "common/result.h"
#include "common/training/input_spec.h"
#include "worker/training/datasets.h"
#include "worker/training/image_batch.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

// What a network sees of `dataset`: the size of its images, or that which a folder's are cut to.
ImageSize input_size(const InputSpec& spec, const Dataset& dataset);

// Why `spec` does not fit such images; nothing if it does.
std::optional<Error> check_input(const InputSpec& spec, const ImageSize& size);

// Whether `spec` takes numbers from the training part.
bool needs_statistics(const InputSpec& spec);

// Any thread may use one.
class InputTransform {
 public:
  // `statistics` may be null if they are not needed. Errors: as check_input, or a channel whose
  // deviation is zero.
  static Result<InputTransform> make(const InputSpec& spec, const ImageSize& size,
                                     const ImageStatistics* statistics, at::Device device,
                                     at::ScalarType type = at::kFloat);

  // `images`: bytes, samples x rows x columns x channels, on the transform's device. Returns its
  // floating-point type, samples x channels x rows x columns in channels-last memory.
  at::Tensor operator()(const at::Tensor& images) const;

 private:
  at::ScalarType type_ = at::kFloat;
  double scale_ = 1;
  at::Tensor factor_;  // of one image, as `offset_`: broadcasting three channels would be slow
  at::Tensor offset_;
};

}  // namespace lrtune
