#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "common/training.h"
#include "worker/training/input.h"
#include "worker/training/models.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

constexpr ImageShape kMnist{.channels = 1, .rows = 28, .columns = 28, .classes = 10};

std::unique_ptr<Model> lenet(std::uint64_t seed = 5) {
  return std::move(make_model({.name = "lenet"}, kMnist, seed, at::kCPU).value());
}

constexpr std::array<std::size_t, 4> kBiases{1, 3, 5, 7};  // among the parameters

// Bytes times 1/256, channels-last, as training feeds this network.
at::Tensor inputs_of(const at::Tensor& images) {
  const auto transform = InputTransform::make({}, {28, 28, 1}, nullptr, at::kCPU);
  return (*transform)(images.reshape({images.size(0), 28, 28, 1}));
}

at::Tensor byte_images(std::int64_t count) {
  return at::arange(count * 784, at::kLong)
      .remainder(256)
      .to(at::kByte)
      .reshape({count, 1, 28, 28});
}

TEST(LenetTest, HasThePapersParameters) {
  const auto model = lenet();
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> expected{
      {"conv1.weight", {20, 1, 5, 5}},  {"conv1.bias", {20}},
      {"conv2.weight", {50, 20, 5, 5}}, {"conv2.bias", {50}},
      {"ip1.weight", {500, 800}},       {"ip1.bias", {500}},
      {"ip2.weight", {10, 500}},        {"ip2.bias", {10}}};
  ASSERT_EQ(model->parameters().size(), expected.size());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Parameter& parameter = model->parameters()[i];
    EXPECT_EQ(parameter.name, expected[i].first);
    EXPECT_EQ(parameter.value.sizes().vec(), expected[i].second);
    EXPECT_EQ(parameter.rate, i % 2 == 0 ? 1 : 2) << parameter.name;
    EXPECT_EQ(parameter.decay, 1) << parameter.name;
    EXPECT_TRUE(parameter.value.requires_grad());
    count += parameter.value.numel();
  }
  EXPECT_EQ(count, 431080);
}

TEST(LenetTest, WeightsAreXavierAndBiasesZero) {
  const auto model = lenet();
  for (const Parameter& parameter : model->parameters()) {
    const at::Tensor& value = parameter.value;
    if (value.dim() == 1) {
      EXPECT_EQ(value.abs().max().item<float>(), 0) << parameter.name;
      continue;
    }
    const double fan_in = static_cast<double>(value.numel()) / static_cast<double>(value.size(0));
    const double bound = std::sqrt(3 / fan_in);
    EXPECT_LE(value.max().item<float>(), bound * (1 + 1e-7)) << parameter.name;
    EXPECT_GE(value.min().item<float>(), -bound * (1 + 1e-7)) << parameter.name;
    EXPECT_GT(value.max().item<float>(), 0.97 * bound) << parameter.name;
    // A uniform distribution's standard deviation is bound / sqrt(3).
    EXPECT_NEAR(value.std().item<float>() * std::sqrt(3) / bound, 1, 0.08) << parameter.name;
  }
}

// Computed by an independent program from the definition in draws.h.
TEST(LenetTest, FirstWeightsHaveNotChanged) {
  const auto model = lenet(5);
  const at::Tensor first = model->parameters()[0].value.flatten();
  EXPECT_FLOAT_EQ(first[0].item<float>(), -0.2517987104014437f);
  EXPECT_FLOAT_EQ(first[1].item<float>(), -0.3195899845519762f);
  EXPECT_FLOAT_EQ(first[2].item<float>(), -0.2814138229147922f);
}

TEST(LenetTest, WeightsAreAFunctionOfTheSeed) {
  const auto one = lenet(1);
  const auto same = lenet(1);
  const auto other = lenet(2);
  for (std::size_t i = 0; i < one->parameters().size(); i += 2) {
    EXPECT_TRUE(one->parameters()[i].value.equal(same->parameters()[i].value)) << i;
    EXPECT_FALSE(one->parameters()[i].value.equal(other->parameters()[i].value)) << i;
  }
}

// The definition once more, in double and in another memory format.
TEST(LenetTest, ComputesThePapersNetwork) {
  const auto model = lenet();
  std::vector<at::Tensor> p;
  for (const Parameter& parameter : model->parameters()) {
    p.push_back(parameter.value.detach().to(at::kDouble).contiguous());
  }
  for (const std::size_t bias : kBiases) p[bias].add_(0.1);
  const at::NoGradGuard no_graph;
  for (const std::size_t bias : kBiases) model->parameters()[bias].value.add_(0.1);

  const at::Tensor images = byte_images(3);
  at::Tensor x = images.to(at::kDouble) / 256;
  x = std::get<0>(at::max_pool2d_with_indices(at::conv2d(x, p[0], p[1]), {2, 2}));
  EXPECT_EQ(x.sizes().vec(), (std::vector<std::int64_t>{3, 20, 12, 12}));
  x = std::get<0>(at::max_pool2d_with_indices(at::conv2d(x, p[2], p[3]), {2, 2}));
  EXPECT_EQ(x.sizes().vec(), (std::vector<std::int64_t>{3, 50, 4, 4}));
  x = at::matmul(x.reshape({3, 800}), p[4].t()) + p[5];
  x = at::matmul(x.clamp_min(0), p[6].t()) + p[7];

  const at::Tensor logits = model->logits(inputs_of(images), {});
  EXPECT_EQ(logits.sizes().vec(), (std::vector<std::int64_t>{3, 10}));
  EXPECT_LT((logits.to(at::kDouble) - x).abs().max().item<double>(), 1e-5);
}

// Without the strides of channels-last memory, pooling takes seven times as long.
TEST(ModelsTest, ImagesOfOneChannelAreChannelsLast) {
  const at::Tensor scaled = inputs_of(byte_images(2));
  EXPECT_EQ(scaled.strides().vec(), (std::vector<std::int64_t>{784, 1, 28, 1}));
  EXPECT_EQ(scaled[0][0][0][255 % 28].item<float>(), (255 % 28) / 256.0f);
  const auto model = lenet();
  const at::Tensor weights = model->parameters()[0].value;
  EXPECT_EQ(at::conv2d(scaled, weights).suggest_memory_format(), at::MemoryFormat::ChannelsLast);
}

TEST(ModelsTest, UnknownModelsAndSmallImagesAreRefused) {
  const auto unknown = check_model({.name = "lenet5"}, kMnist, 100);
  ASSERT_TRUE(unknown);
  EXPECT_THAT(unknown->message, HasSubstr("did you mean 'lenet'?"));
  const auto small = check_model({.name = "lenet"},
                                 {.channels = 1, .rows = 15, .columns = 28, .classes = 10}, 100);
  ASSERT_TRUE(small);
  EXPECT_THAT(small->message, HasSubstr("at least 16x16"));
}

}  // namespace
}  // namespace lrtune
