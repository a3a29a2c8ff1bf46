#include "worker/training/input.h"

#include <fmt/format.h>

#include <span>
#include <vector>

namespace lrtune {
namespace {

constexpr double kScale = 1.0 / 256;

// `values` repeated until they fill an image.
at::Tensor image_of(std::span<const double> values, const ImageSize& size, at::Device device,
                    at::ScalarType type) {
  const at::Tensor image = at::empty({size.rows, size.columns, size.channels}, at::kDouble);
  const std::span out(image.data_ptr<double>(), static_cast<std::size_t>(size.bytes()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = values[i % values.size()];
  return image.to(device, type);
}

}  // namespace

ImageSize input_size(const InputSpec& spec, const Dataset& dataset) {
  if (spec.size > 0) return {spec.size, spec.size, dataset.channels};
  return {dataset.rows, dataset.columns, dataset.channels};
}

std::optional<Error> check_input(const InputSpec& spec, const ImageSize& size) {
  const auto given = std::ssize(spec.mean);
  if (given > 0 && given != size.channels) {
    return Error{fmt::format("train.input has {} means and deviations for images of {} channels",
                             given, size.channels)};
  }
  return std::nullopt;
}

bool needs_statistics(const InputSpec& spec) {
  return spec.normalise == Normalise::kMeanImage ||
         (spec.normalise == Normalise::kChannels && spec.mean.empty());
}

Result<InputTransform> InputTransform::make(const InputSpec& spec, const ImageSize& size,
                                            const ImageStatistics* statistics, at::Device device,
                                            at::ScalarType type) {
  if (auto error = check_input(spec, size)) return tl::unexpected(std::move(*error));
  InputTransform transform;
  transform.type_ = type;
  if (spec.normalise == Normalise::kScale) transform.scale_ = kScale;
  if (spec.normalise == Normalise::kMeanImage) {
    std::vector<double> offset;
    for (const double mean : statistics->mean_image) offset.push_back(-mean);
    transform.offset_ = image_of(offset, size, device, type);
  }
  if (spec.normalise == Normalise::kChannels) {
    const auto& mean = spec.mean.empty() ? statistics->mean : spec.mean;
    const auto& deviation = spec.mean.empty() ? statistics->deviation : spec.deviation;
    std::vector<double> factor;
    std::vector<double> offset;
    for (std::size_t c = 0; c < mean.size(); ++c) {
      if (!(deviation[c] > 0)) {
        return fail(
            fmt::format("channel {} of the training images is the same everywhere: "
                        "normalise: channels cannot divide by its deviation",
                        c));
      }
      factor.push_back(1 / (255 * deviation[c]));
      offset.push_back(-mean[c] / deviation[c]);
    }
    transform.factor_ = image_of(factor, size, device, type);
    transform.offset_ = image_of(offset, size, device, type);
  }
  return transform;
}

at::Tensor InputTransform::operator()(const at::Tensor& images) const {
  at::Tensor inputs = images.to(type_);
  if (factor_.defined()) inputs.mul_(factor_);
  if (offset_.defined()) inputs.add_(offset_);
  if (scale_ != 1) inputs.mul_(scale_);
  return inputs.permute({0, 3, 1, 2});
}

}  // namespace lrtune
