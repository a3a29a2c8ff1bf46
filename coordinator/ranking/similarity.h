// How much one training is like another, 0 to 1, so that its policies may fit (paper, section 4:
// content and data format of data sets, and the network). docs/RECOMMENDATION.md has the formulas.
#pragma once

#include <string>
#include <string_view>

#include "coordinator/ranking/dataset_profile.h"

namespace lrtune {

// Mean of five: same content (1 or 0), same channels (1 or 0), and the smaller over the larger
// side, number of classes and number of training samples.
double similarity(const DatasetProfile& a, const DatasetProfile& b);

// The same by name; a data set of which nothing is known is like itself alone.
double dataset_similarity(std::string_view a, std::string_view b);

// 1: the same network; 0.5: of one kind (lenet and cnn3; resnet18 and resnet32); else 0.
double network_similarity(std::string_view a, std::string_view b);

// 1: the same optimizer; 0.9: momentum and nesterov; else 0.5.
double optimizer_similarity(std::string_view a, std::string_view b);

// Why two data sets are as similar as they are: "both scene, 3 channels, side 32 and 32 ...".
std::string similarity_words(std::string_view a, std::string_view b);

}  // namespace lrtune
