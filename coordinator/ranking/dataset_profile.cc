#include "coordinator/ranking/dataset_profile.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lrtune {
namespace {

// From the data sets' own papers and pages. SVHN's digits are cut out of street photographs. The
// pixels of MNIST, Fashion-MNIST and CIFAR-10 were counted; those of the others are what is used
// everywhere to normalise them (ImageNet's: torchvision).
constexpr std::array<DatasetProfile, 6> kProfiles = {{
    {"mnist", 28, 1, 10, 60'000, 10'000, Content::kHandwritten, {{0.1307}, {0.3081}}},
    {"fashion-mnist", 28, 1, 10, 60'000, 10'000, Content::kClothing, {{0.2860}, {0.3530}}},
    {"cifar-10",
     32,
     3,
     10,
     50'000,
     10'000,
     Content::kScene,
     {{0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}}},
    {"cifar-100",
     32,
     3,
     100,
     50'000,
     10'000,
     Content::kScene,
     {{0.5071, 0.4867, 0.4408}, {0.2675, 0.2565, 0.2761}}},
    {"svhn",
     32,
     3,
     10,
     73'257,
     26'032,
     Content::kScene,
     {{0.4377, 0.4438, 0.4728}, {0.1980, 0.2010, 0.1970}}},
    {"imagenet",
     224,
     3,
     1000,
     1'281'167,
     50'000,
     Content::kScene,
     {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}},
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
  DataFacts facts;
  facts.train_samples = profile.train_samples;
  facts.test_samples = profile.test_samples;
  facts.classes = profile.classes;
  return with_validation(facts, validation);
}

DataFacts with_validation(DataFacts facts, double validation) {
  const std::int64_t all = facts.train_samples + facts.validation_samples;
  // As worker/training/sampler.cc splits.
  std::int64_t held_out = std::llround(validation * static_cast<double>(all));
  if (validation > 0) held_out = std::max<std::int64_t>(held_out, 1);
  facts.train_samples = all - held_out;
  facts.validation_samples = held_out;
  return facts;
}

std::string_view name_of(Content content) {
  constexpr std::array<std::string_view, 3> kNames = {"handwritten", "clothing", "scene"};
  return kNames[static_cast<std::size_t>(content)];
}

}  // namespace lrtune
