// How much one training is like another, 0 to 1, so that its policies may fit (paper, section 4:
// content and data format of data sets, and the network). docs/RECOMMENDATION.md has the formulas.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/training.h"
#include "coordinator/ranking/dataset_profile.h"

namespace lrtune {

// What is known of the data of one training; 0 and nothing: not known.
struct DataProfile {
  std::string name;    // as in train.dataset.name
  Digest fingerprint;  // of its contents
  int side = 0;        // pixels of the square that networks see
  int channels = 0;
  int classes = 0;
  std::int64_t train_samples = 0;  // before a validation part is held out
  std::optional<Content> content;
  std::optional<PixelStatistics> pixels;
};

// What is published of a data set of that name; over it, what a survey of the data has found. Facts
// of another number of samples say that these are other data under that name: of their content and
// pixels nothing is known. `side`: of the images that a network sees of a folder.
DataProfile data_profile(std::string_view name, const std::optional<DataFacts>& facts = {},
                         int side = 0);

// 1: the same data, by their fingerprints, or by their name where one has none. Else the mean of
// six: same content (1 or 0; 0.5 if one is not known), same channels (1 or 0), the smaller over the
// larger side, number of classes, and number of training samples (0 if one is not known), and how
// alike the pixels are (left out if one is not known).
double similarity(const DataProfile& a, const DataProfile& b);

// The same of what is published of the two.
double dataset_similarity(std::string_view a, std::string_view b);

// 1: the same network; 0.5: of one kind (lenet and cnn3; resnet18 and resnet32); else 0.
double network_similarity(std::string_view a, std::string_view b);

// 1: the same optimizer; 0.9: momentum and nesterov; else 0.5.
double optimizer_similarity(std::string_view a, std::string_view b);

// Why two data sets are as similar as they are: "scene and scene, 3 and 3 channels, side 32 and 32
// ..."; what is not known is "?".
std::string similarity_words(const DataProfile& a, const DataProfile& b);

}  // namespace lrtune
