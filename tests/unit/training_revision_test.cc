// The numbers that kTrainingRevision stands for. If one changes, states of older stores must not be
// taken for new ones: raise kTrainingRevision in common/training.h with the new number here.
#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "common/hash.h"
#include "common/training.h"
#include "worker/training/models.h"
#include "worker/training/sampler.h"

namespace lrtune {
namespace {

std::string digest_of(const void* data, std::size_t bytes) {
  return sha256(std::string_view(static_cast<const char*>(data), bytes)).hex().substr(0, 16);
}

std::string digest_of_weights(const ModelSpec& spec, const ImageShape& shape) {
  const auto model = make_model(spec, shape, 7, at::kCPU).value();
  std::string bytes;
  for (const Parameter& parameter : model->parameters()) {
    const at::Tensor values = parameter.value.detach().contiguous();
    bytes.append(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
  }
  return digest_of(bytes.data(), bytes.size());
}

TEST(TrainingRevisionTest, IsTheOneOfTheseNumbers) { EXPECT_EQ(kTrainingRevision, 1); }

TEST(TrainingRevisionTest, InitialWeights) {
  const ImageShape mnist{.channels = 1, .rows = 28, .columns = 28, .classes = 10};
  EXPECT_EQ(digest_of_weights({.name = "lenet"}, mnist), "a962b7bde7cdde08");
}

TEST(TrainingRevisionTest, OrderOfSamples) {
  SampleOrder order(7, 1000);
  std::vector<std::int64_t> positions(2500);
  order.fill(300, positions);
  EXPECT_EQ(digest_of(positions.data(), positions.size() * sizeof(positions[0])),
            "89a0a13ceb3ea514");
}

TEST(TrainingRevisionTest, HeldOutAndMeasuredSamples) {
  const Split split = split_training_data(1000, 0.1).value();
  EXPECT_EQ(digest_of(split.validation.data(), split.validation.size() * sizeof(std::int64_t)),
            "ab54ddde919968fd");
  const std::vector<std::int64_t> subset = train_subset(split, 1000, 50);
  EXPECT_EQ(digest_of(subset.data(), subset.size() * sizeof(subset[0])), "df15dce60cc0b606");
}

}  // namespace
}  // namespace lrtune
