#include "worker/training/initial_weights.h"

#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "common/policy/portable_math.h"

namespace lrtune {
namespace {

// Doubles on the CPU, in the order of the shape.
template <typename Draw>
at::Tensor drawn(at::IntArrayRef shape, Draw draw) {
  at::Tensor values = at::empty(shape, at::kDouble);
  for (double& value :
       std::span(values.mutable_data_ptr<double>(), static_cast<std::size_t>(values.numel()))) {
    value = draw();
  }
  return values;
}

}  // namespace

double NormalDraws::next() {
  if (second_) {
    const double value = *second_;
    second_.reset();
    return value;
  }
  constexpr std::int64_t kQuarter = std::int64_t{1} << 51;  // of a turn; draws have 53 bits
  const double radius = std::sqrt(-2 * log_of(1 - draws_.unit()).high);
  const auto angle = static_cast<std::int64_t>(draws_.bits() >> 11);
  const std::int64_t part = angle % kQuarter;
  const double sine = sine_of_quarter(part, kQuarter);
  const double cosine = sine_of_quarter(kQuarter - part, kQuarter);
  switch (angle / kQuarter) {
    case 0:
      second_ = radius * sine;
      return radius * cosine;
    case 1:
      second_ = radius * cosine;
      return -radius * sine;
    case 2:
      second_ = -radius * sine;
      return -radius * cosine;
    default:
      second_ = -radius * cosine;
      return radius * sine;
  }
}

double fan_in(at::IntArrayRef shape) {
  return static_cast<double>(std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1},
                                             std::multiplies<std::int64_t>()));
}

double fan_out(at::IntArrayRef shape) {
  return fan_in(shape) / static_cast<double>(shape[1]) * static_cast<double>(shape[0]);
}

at::Tensor InitialWeights::xavier(at::IntArrayRef shape) {
  return uniform(shape, std::sqrt(3.0 / fan_in(shape)));
}

at::Tensor InitialWeights::uniform(at::IntArrayRef shape, double bound) {
  Draws draws = next_draws();
  return trained(drawn(shape, [&] { return (2 * draws.unit() - 1) * bound; }));
}

at::Tensor InitialWeights::normal(at::IntArrayRef shape, double deviation) {
  NormalDraws draws(next_draws());
  return trained(drawn(shape, [&] { return draws.next() * deviation; }));
}

at::Tensor InitialWeights::constant(at::IntArrayRef shape, double value) {
  ++number_;
  return trained(at::full(shape, value, at::kDouble));
}

at::Tensor InitialWeights::trained(const at::Tensor& values) const {
  const auto format =
      values.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  at::Tensor tensor = at::empty(values.sizes(), options_, format);
  tensor.copy_(values);
  return tensor.set_requires_grad(true);
}

}  // namespace lrtune
