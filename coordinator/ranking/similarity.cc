#include "coordinator/ranking/similarity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lrtune {
namespace {

constexpr std::string_view kFolder = "imagefolder";  // which may hold any images
constexpr double kUnknownContent = 0.5;

// 0 if one is not known.
template <typename Number>
double share(Number a, Number b) {
  if (a <= 0 || b <= 0) return 0;
  return static_cast<double>(std::min(a, b)) / static_cast<double>(std::max(a, b));
}

struct Grey {
  double mean = 0;
  double deviation = 0;
};

// Over the channels, so that grey images and those in colour compare.
Grey over_channels(const DataProfile& data) {
  Grey grey;
  for (int channel = 0; channel < data.channels; ++channel) {
    const auto place = static_cast<std::size_t>(channel);
    grey.mean += data.pixels->mean.at(place) / data.channels;
    grey.deviation += data.pixels->deviation.at(place) / data.channels;
  }
  return grey;
}

bool same_data(const DataProfile& a, const DataProfile& b) {
  if (a.fingerprint != Digest{} && b.fingerprint != Digest{}) return a.fingerprint == b.fingerprint;
  return a.name == b.name && a.name != kFolder && a.train_samples == b.train_samples;
}

// 1 less the differences of mean and deviation, which are at most 1 and 0.5.
double pixel_similarity(const DataProfile& a, const DataProfile& b) {
  const Grey of_a = over_channels(a);
  const Grey of_b = over_channels(b);
  return std::max(0.0,
                  1 - std::abs(of_a.mean - of_b.mean) - std::abs(of_a.deviation - of_b.deviation));
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

DataProfile data_profile(std::string_view name, const std::optional<DataFacts>& facts, int side) {
  DataProfile data{.name = std::string(name), .side = side};
  if (name == kFolder) data.channels = 3;  // grey images become RGB
  if (const DatasetProfile* const published = dataset_profile(name)) {
    data.side = published->side;
    data.channels = published->channels;
    data.classes = published->classes;
    data.train_samples = published->train_samples;
    data.content = published->content;
    data.pixels = published->pixels;
  }
  if (!facts) return data;
  const std::int64_t samples = facts->train_samples + facts->validation_samples;
  if (samples != data.train_samples) {
    data.content.reset();
    data.pixels.reset();
  }
  data.train_samples = samples;
  data.classes = facts->classes;
  data.fingerprint = facts->fingerprint;
  return data;
}

double similarity(const DataProfile& a, const DataProfile& b) {
  if (same_data(a, b)) return 1;
  const bool knows_content = a.content && b.content;
  const double content = !knows_content ? kUnknownContent : a.content == b.content ? 1 : 0;
  const double channels = a.channels > 0 && a.channels == b.channels ? 1 : 0;
  const double format = content + channels + share(a.side, b.side) + share(a.classes, b.classes) +
                        share(a.train_samples, b.train_samples);
  if (!a.pixels || !b.pixels) return format / 5;
  return (format + pixel_similarity(a, b)) / 6;
}

double dataset_similarity(std::string_view a, std::string_view b) {
  return similarity(data_profile(a), data_profile(b));
}

double network_similarity(std::string_view a, std::string_view b) {
  if (a == b) return 1;
  return kind_of(a) == kind_of(b) ? 0.5 : 0;
}

double optimizer_similarity(std::string_view a, std::string_view b) {
  if (a == b) return 1;
  return pair_of(a, b, "momentum", "nesterov") ? 0.9 : 0.5;
}

std::string similarity_words(const DataProfile& a, const DataProfile& b) {
  if (same_data(a, b)) return "the same data set";
  const auto content = [](const DataProfile& data) {
    return data.content ? name_of(*data.content) : std::string_view("?");
  };
  const auto count = [](std::int64_t value) {
    return value > 0 ? fmt::to_string(value) : std::string("?");
  };
  std::string words = fmt::format(
      "{} and {}, {} and {} channels, side {} and {}, {} and {} classes, {} and {} samples",
      content(a), content(b), count(a.channels), count(b.channels), count(a.side), count(b.side),
      count(a.classes), count(b.classes), count(a.train_samples), count(b.train_samples));
  if (!a.pixels || !b.pixels) return words;
  const Grey of_a = over_channels(a);
  const Grey of_b = over_channels(b);
  return words + fmt::format(", pixels of mean {:.2f} and {:.2f}, deviation {:.2f} and {:.2f}",
                             of_a.mean, of_b.mean, of_a.deviation, of_b.deviation);
}

}  // namespace lrtune
