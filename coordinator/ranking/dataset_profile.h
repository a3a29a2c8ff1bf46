// What is known of a data set without its files: content and data format, which the paper compares
// data sets by, and statistics of its pixels.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/training.h"

namespace lrtune {

// What the images show.
enum class Content : std::uint8_t {
  kHandwritten,  // single written signs, centred on an empty ground
  kClothing,     // single articles on an empty ground
  kScene,        // photographs: things, with their surroundings
};

// Mean and standard deviation of each channel of the training images, white 1. Of grey images the
// first alone.
struct PixelStatistics {
  std::array<double, 3> mean{};
  std::array<double, 3> deviation{};
};

struct DatasetProfile {
  std::string_view name;  // as in train.dataset.name
  int side = 0;           // pixels of the square that networks see
  int channels = 0;
  int classes = 0;
  std::int64_t train_samples = 0;  // before a validation part is held out
  std::int64_t test_samples = 0;
  Content content = Content::kScene;
  PixelStatistics pixels;
};

// MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100, SVHN, and ImageNet under the name "imagenet".
std::span<const DatasetProfile> dataset_profiles();

// Null: nothing is known of a data set of that name (a folder of images may be any).
const DatasetProfile* dataset_profile(std::string_view name);

// As a survey would find it, without the fingerprint.
DataFacts facts_of(const DatasetProfile& profile, double validation);

// `facts` with another share of the training data held out.
DataFacts with_validation(DataFacts facts, double validation);

std::string_view name_of(Content content);  // "handwritten", "clothing", "scene"

}  // namespace lrtune
