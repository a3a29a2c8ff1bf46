#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/image_files.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/batch_source.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

constexpr ImageSize kSize{6, 5, 3};

at::Tensor random_images(std::int64_t samples) {
  std::mt19937_64 random(5);
  at::Tensor images = at::empty({samples, kSize.rows, kSize.columns, kSize.channels}, at::kByte);
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    images.data_ptr<std::uint8_t>()[i] = static_cast<std::uint8_t>(random());
  }
  return images;
}

ImageStatistics statistics_of(const at::Tensor& images) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < images.size(0); ++i) all.push_back(i);
  return image_statistics({images.const_data_ptr<std::uint8_t>(), images.nbytes()}, kSize, all);
}

at::Tensor inputs_of(const InputSpec& spec, const at::Tensor& images,
                     at::ScalarType type = at::kFloat) {
  const ImageStatistics statistics = statistics_of(images);
  return InputTransform::make(spec, kSize, &statistics, at::kCPU, type).value()(images);
}

TEST(InputTransformTest, MakesChannelsLastFloats) {
  const at::Tensor images = random_images(4);
  const at::Tensor inputs = inputs_of({.normalise = Normalise::kNone}, images);
  EXPECT_EQ(inputs.sizes(), (std::vector<std::int64_t>{4, 3, 6, 5}));
  EXPECT_EQ(inputs.scalar_type(), at::kFloat);
  EXPECT_TRUE(inputs.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(inputs.equal(images.permute({0, 3, 1, 2}).to(at::kFloat)));
}

TEST(InputTransformTest, ImagesOfOneChannelAreChannelsLastByNameToo) {
  const auto transform = InputTransform::make({}, {28, 28, 1}, nullptr, at::kCPU);
  const at::Tensor inputs = (*transform)(at::zeros({2, 28, 28, 1}, at::kByte));
  EXPECT_EQ(inputs.suggest_memory_format(), at::MemoryFormat::ChannelsLast);
}

TEST(InputTransformTest, ScalesBy256) {
  const at::Tensor images = random_images(4);
  EXPECT_TRUE(inputs_of({}, images).equal(images.permute({0, 3, 1, 2}).to(at::kFloat) / 256));
}

TEST(InputTransformTest, MeanImageLeavesNoMean) {
  const at::Tensor images = random_images(7);
  const at::Tensor inputs = inputs_of({.normalise = Normalise::kMeanImage}, images, at::kDouble);
  EXPECT_LT(inputs.mean(0).abs().max().item<double>(), 1e-9);
  EXPECT_GT(inputs.abs().max().item<double>(), 50);  // not scaled
}

TEST(InputTransformTest, ChannelsHaveMeanZeroAndDeviationOne) {
  const at::Tensor images = random_images(9);
  const at::Tensor inputs = inputs_of({.normalise = Normalise::kChannels}, images, at::kDouble);
  for (std::int64_t c = 0; c < 3; ++c) {
    const at::Tensor channel = inputs.select(1, c);
    EXPECT_NEAR(channel.mean().item<double>(), 0, 1e-9);
    EXPECT_NEAR(channel.square().mean().item<double>(), 1, 1e-9);
  }
}

TEST(InputTransformTest, GivenNumbersGoBeforeThoseOfTheData) {
  const at::Tensor images = random_images(2);
  const InputSpec spec{
      .normalise = Normalise::kChannels, .mean = {0.1, 0.2, 0.3}, .deviation = {0.5, 0.25, 0.125}};
  const at::Tensor x = images.permute({0, 3, 1, 2}).to(at::kDouble) / 255;
  const at::Tensor inputs = inputs_of(spec, images, at::kDouble);
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto i = static_cast<std::size_t>(c);
    EXPECT_TRUE(inputs.select(1, c).allclose((x.select(1, c) - spec.mean[i]) / spec.deviation[i]));
  }
}

TEST(InputTransformTest, RefusesWhatDoesNotFit) {
  const InputSpec two{.normalise = Normalise::kChannels, .mean = {0, 0}, .deviation = {1, 1}};
  EXPECT_THAT(check_input(two, kSize)->message, HasSubstr("2 means and deviations"));
  const ImageStatistics flat{.mean = {0, 0, 0}, .deviation = {1, 0, 1}};
  const auto transform =
      InputTransform::make({.normalise = Normalise::kChannels}, kSize, &flat, at::kCPU);
  ASSERT_FALSE(transform);
  EXPECT_THAT(transform.error().message, HasSubstr("channel 1"));
}

// A GPU places images by tensor operations, the CPU byte by byte: both must do the same.
TEST(DeviceDataTest, BothWaysOfPlacingAgree) {
  const at::Tensor images = random_images(40);
  std::vector<Placement> places;
  std::vector<std::int64_t> samples;
  for (std::int64_t i = 0; i < 40; ++i) {
    samples.push_back(i);
    places.push_back(random_placement(1, 0, i, i % 3 == 0 ? 7 : 2, true));
  }
  at::Tensor expected = at::empty_like(images);
  copy_images({images.const_data_ptr<std::uint8_t>(), images.nbytes()}, kSize, samples, places,
              {expected.data_ptr<std::uint8_t>(), expected.nbytes()});
  EXPECT_TRUE(placed_images(images, places).equal(expected));
}

class MemoryBatchesTest : public ::testing::Test {
 protected:
  MemoryBatchesTest() {
    job_.identity.train = {
        .dataset = {.name = "mnist"},
        .validation = 0.2,
        .input = {.normalise = Normalise::kMeanImage, .augment = {.pad = 2, .flip = true}},
        .batch = 7};
    job_.seed = 9;
  }

  std::unique_ptr<BatchSource> source() {
    return std::move(make_memory_batches(job_, data_, split_).value());
  }

  static std::shared_ptr<const Dataset> small_dataset() {
    const TemporaryFolder folder;
    write_image_files(folder.path(), {.train = 60, .test = 20});
    return std::make_shared<const Dataset>(load_dataset("mnist", folder.path()).value());
  }

  TrainingJob job_;
  DeviceData data_{small_dataset(), at::kCPU};
  Split split_ = split_training_data(60, 0.2).value();
};

TEST_F(MemoryBatchesTest, AStepIsTheSameWhereverARunStarts) {
  const auto through = source();
  for (std::int64_t t = 0; t < 20; ++t) {
    const Batch batch = through->training_batch(t).value();
    const Batch alone = source()->training_batch(t).value();
    EXPECT_TRUE(batch.inputs.equal(alone.inputs)) << t;
    EXPECT_TRUE(batch.labels.equal(alone.labels)) << t;
  }
}

TEST_F(MemoryBatchesTest, EvaluationIsNotAugmented) {
  const auto batches = source();
  const std::vector<std::int64_t> samples{5, 3, 8, 1};
  const Batch batch = batches->evaluation_batch(Part::kTest, samples, 1, 2).value();
  EXPECT_EQ(batch.inputs.size(0), 2);
  EXPECT_EQ(batch.classes, (std::vector<std::int64_t>{data_.dataset().test.labels[3],
                                                      data_.dataset().test.labels[8]}));
  const auto transform = InputTransform::make(job_.identity.train.input, {28, 28, 1},
                                              &data_.statistics(split_), at::kCPU);
  EXPECT_TRUE(batch.inputs.equal(
      (*transform)(data_.images(Part::kTest, std::span(samples).subspan(1, 2)))));
}

// The mean must know nothing of the samples that are held out.
TEST_F(MemoryBatchesTest, StatisticsLeaveTheHeldOutSamplesOut) {
  const ImageSize size{28, 28, 1};
  const auto& pixels = data_.dataset().train.pixels;
  EXPECT_EQ(data_.statistics(split_).mean_image,
            image_statistics(pixels, size, split_.train).mean_image);
  const Split all = split_training_data(60, 0).value();
  EXPECT_NE(data_.statistics(all).mean, data_.statistics(split_).mean);
}

}  // namespace
}  // namespace lrtune
