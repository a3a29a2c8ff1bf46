// `train.input`: what is done to pixels before the network sees them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/training/dataset_spec.h"
#include "common/training/model_spec.h"

namespace lrtune {

// Pixels are bytes, x from 0 to 255.
enum class Normalise : std::uint8_t {
  kNone,       // x
  kScale,      // x / 256                          (LRBench's LeNet)
  kMeanImage,  // x - the mean of its place        (Caffe's CIFAR-10)
  kChannels,   // (x / 255 - mean) / deviation     (of its channel)
};

// What becomes of an image that cannot be decoded.
enum class Corrupt : std::uint8_t {
  kSkip,  // training takes the next readable one in its place, evaluation leaves it out
  kStop,  // the run fails
};

// Of training samples; what is evaluated is never augmented.
struct AugmentSpec {
  int pad = 0;      // images in memory: black pixels put around; a crop of the old size is cut out
  double area = 0;  // image folders: the least share of the area that a random crop has; 0: no crop
  bool flip = false;  // left to right, every second one
  bool operator==(const AugmentSpec&) const = default;
};

struct InputSpec {
  Normalise normalise = Normalise::kScale;
  // kChannels: one number a channel, of x / 255; empty: those of the training part.
  std::vector<double> mean;
  std::vector<double> deviation;
  AugmentSpec augment;
  // Image folders; 0 for images in memory, which keep their size.
  int size = 0;                      // pixels a side of what the network sees
  int resize = 0;                    // evaluation: the shorter side before the centre is cut out
  Corrupt corrupt = Corrupt::kSkip;  // image folders
  bool operator==(const InputSpec&) const = default;
};

// What `train.input` is if an experiment does not say: the paper's setups.
InputSpec default_input(const DatasetSpec& dataset, const ModelSpec& model);

// Every key is written out, so that an identity does not depend on defaults.
nlohmann::json to_json(const InputSpec& input);
// Keys that are missing are those of default_input. Errors name the key; keys: docs/EXPERIMENTS.md.
Result<InputSpec> input_from_json(const nlohmann::json& json, const std::string& path,
                                  const DatasetSpec& dataset, const ModelSpec& model);

}  // namespace lrtune
