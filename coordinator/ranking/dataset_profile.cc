#include "coordinator/ranking/dataset_profile.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lrtune {
namespace {

// From the data sets' own papers and pages. SVHN's digits are cut out of street photographs.
constexpr std::array<DatasetProfile, 6> kProfiles = {{
    {"mnist", 28, 1, 10, 60'000, 10'000, Content::kHandwritten},
    {"fashion-mnist", 28, 1, 10, 60'000, 10'000, Content::kClothing},
    {"cifar-10", 32, 3, 10, 50'000, 10'000, Content::kScene},
    {"cifar-100", 32, 3, 100, 50'000, 10'000, Content::kScene},
    {"svhn", 32, 3, 10, 73'257, 26'032, Content::kScene},
    {"imagenet", 224, 3, 1000, 1'281'167, 50'000, Content::kScene},
}};

}  // namespace

std::span<const DatasetProfile> dataset_profiles() { return kProfiles; }

const DatasetProfile* dataset_profile(std::string_view name) {
  const auto* const found =
      std::find_if(kProfiles.begin(), kProfiles.end(),
                   [&](const DatasetProfile& profile) { return profile.name == name; });
  return found == kProfiles.end() ? nullptr : found;
}

DataFacts facts_of(const DatasetProfile& profile, double validation) {
  // As worker/training/sampler.cc splits.
  std::int64_t held_out = std::llround(validation * static_cast<double>(profile.train_samples));
  if (validation > 0) held_out = std::max<std::int64_t>(held_out, 1);
  DataFacts facts;
  facts.train_samples = profile.train_samples - held_out;
  facts.validation_samples = held_out;
  facts.test_samples = profile.test_samples;
  facts.classes = profile.classes;
  return facts;
}

std::string_view name_of(Content content) {
  constexpr std::array<std::string_view, 3> kNames = {"handwritten", "clothing", "scene"};
  return kNames[static_cast<std::size_t>(content)];
}

}  // namespace lrtune
