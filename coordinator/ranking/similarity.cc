#include "coordinator/ranking/similarity.h"

#include <fmt/format.h>

#include <algorithm>

namespace lrtune {
namespace {

template <typename Number>
double share(Number a, Number b) {
  return static_cast<double>(std::min(a, b)) / static_cast<double>(std::max(a, b));
}

// Small networks of convolutions, residual ones, and others, of which each is its own kind.
std::string_view kind_of(std::string_view model) {
  if (model == "lenet" || model == "cnn3") return "convolutional";
  if (model.starts_with("resnet")) return "residual";
  return model;
}

bool pair_of(std::string_view a, std::string_view b, std::string_view one, std::string_view other) {
  return (a == one && b == other) || (a == other && b == one);
}

}  // namespace

double similarity(const DatasetProfile& a, const DatasetProfile& b) {
  const double content = a.content == b.content ? 1 : 0;
  const double channels = a.channels == b.channels ? 1 : 0;
  return (content + channels + share(a.side, b.side) + share(a.classes, b.classes) +
          share(a.train_samples, b.train_samples)) /
         5;
}

double dataset_similarity(std::string_view a, std::string_view b) {
  if (a == b) return 1;
  const DatasetProfile* const of_a = dataset_profile(a);
  const DatasetProfile* const of_b = dataset_profile(b);
  return of_a == nullptr || of_b == nullptr ? 0 : similarity(*of_a, *of_b);
}

double network_similarity(std::string_view a, std::string_view b) {
  if (a == b) return 1;
  return kind_of(a) == kind_of(b) ? 0.5 : 0;
}

double optimizer_similarity(std::string_view a, std::string_view b) {
  if (a == b) return 1;
  return pair_of(a, b, "momentum", "nesterov") ? 0.9 : 0.5;
}

std::string similarity_words(std::string_view a, std::string_view b) {
  if (a == b) return "the same data set";
  const DatasetProfile* const of_a = dataset_profile(a);
  const DatasetProfile* const of_b = dataset_profile(b);
  if (of_a == nullptr || of_b == nullptr) return "nothing is known of one of them";
  return fmt::format(
      "{} and {}, {} and {} channels, side {} and {}, {} and {} classes, {} and {} samples",
      name_of(of_a->content), name_of(of_b->content), of_a->channels, of_b->channels, of_a->side,
      of_b->side, of_a->classes, of_b->classes, of_a->train_samples, of_b->train_samples);
}

}  // namespace lrtune
