#include "common/training/input_spec.h"

#include <fmt/format.h>

#include <array>

#include "common/json_reader.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostPad = 64;     // pixels
constexpr std::int64_t kLeastSize = 8;    // pixels
constexpr std::int64_t kMostSize = 2048;  // pixels
constexpr std::size_t kMostChannels = 16;
constexpr int kDefaultSize = 224;
constexpr double kDefaultArea = 0.08;  // as torchvision's RandomResizedCrop

const std::array<std::string, 4> kNormalise = {"none", "scale", "mean-image", "channels"};
const std::array<std::string, 2> kCorrupt = {"skip", "stop"};

// 224 of 256 pixels, as ImageNet is evaluated.
int default_resize(int size) { return (size * 8 + 6) / 7; }

template <std::size_t N>
std::size_t index_of(const std::array<std::string, N>& names, const std::string& name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  return 0;
}

std::vector<double> read_numbers(ObjectReader& reader, const char* key, Range range) {
  const nlohmann::json* list = reader.raw(key);
  if (list == nullptr) return {};
  std::vector<double> numbers;
  const bool fits = list->is_array() && !list->empty() && list->size() <= kMostChannels;
  for (std::size_t i = 0; fits && i < list->size(); ++i) {
    if ((*list)[i].is_number()) numbers.push_back((*list)[i].get<double>());
    if (numbers.size() != i + 1 || !range.contains(numbers.back())) {
      numbers.clear();
      break;
    }
  }
  if (numbers.empty()) {
    reader.error(key,
                 fmt::format("{} of input must be a list of 1 to {} numbers {}, one a channel, "
                             "not {}",
                             key, kMostChannels, range.words(), list->dump()));
  }
  return numbers;
}

void read_channels(ObjectReader& reader, const InputSpec& defaults, InputSpec& input) {
  if (input.normalise != Normalise::kChannels) {
    for (const char* key : {"mean", "deviation"}) {
      if (reader.has(key)) {
        reader.error(key, fmt::format("{} of input belongs to normalise: channels", key));
      }
    }
    return;
  }
  input.mean = read_numbers(reader, "mean", Range::any());
  input.deviation = read_numbers(reader, "deviation", Range::above(0));
  if (input.mean.size() != input.deviation.size()) {
    reader.error("",
                 "mean and deviation of input must be given together, as many of one as of the "
                 "other");
  }
  if (input.mean.empty()) {
    input.mean = defaults.mean;
    input.deviation = defaults.deviation;
  }
}

Result<AugmentSpec> augment_from_json(const nlohmann::json& json, const std::string& path,
                                      bool folder) {
  if (json == "none") return AugmentSpec{};
  if (!json.is_object()) {
    return fail(
        fmt::format("augment of input must be none or a map such as {}, not {}",
                    folder ? "{area: 0.08, flip: true}" : "{pad: 4, flip: true}", json.dump()),
        path);
  }
  ObjectReader reader(json, path, "augment");
  AugmentSpec augment;
  if (folder) {
    Range range = Range::closed(0, 1);
    range.low_open = true;
    augment.area = reader.number("area", range, kDefaultArea);
    if (reader.has("pad")) reader.error("pad", "pad of augment is not for image folders; area is");
  } else {
    augment.pad = static_cast<int>(reader.integer("pad", 0, kMostPad, 0));
    if (reader.has("area")) reader.error("area", "area of augment is for image folders alone");
  }
  augment.flip = reader.boolean("flip", false);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return augment;
}

void read_augment(ObjectReader& reader, const InputSpec& defaults, InputSpec& input) {
  input.augment = defaults.augment;
  const nlohmann::json* json = reader.raw("augment");
  if (json == nullptr) return;
  auto augment = augment_from_json(*json, child_path(reader.path(), "augment"), defaults.size > 0);
  if (augment) {
    input.augment = *augment;
  } else {
    reader.error(augment.error());
  }
}

void read_folder_keys(ObjectReader& reader, const InputSpec& defaults, InputSpec& input) {
  if (defaults.size == 0) {
    for (const char* key : {"size", "resize", "corrupt"}) {
      if (reader.has(key)) {
        reader.error(key, fmt::format("{} of input is for image folders alone", key));
      }
    }
    return;
  }
  input.size = static_cast<int>(reader.integer("size", kLeastSize, kMostSize, defaults.size));
  input.resize = static_cast<int>(
      reader.integer("resize", input.size, 2 * kMostSize, default_resize(input.size)));
  input.corrupt =
      static_cast<Corrupt>(index_of(kCorrupt, reader.one_of("corrupt", kCorrupt, kCorrupt[0])));
  if (input.normalise == Normalise::kMeanImage) {
    reader.error("normalise",
                 "normalise: mean-image of input is not for image folders, whose "
                 "images are cut anew each time; take channels");
  }
}

}  // namespace

InputSpec default_input(const DatasetSpec& dataset, const ModelSpec& model) {
  InputSpec input;
  if (is_image_folder(dataset)) {
    input.normalise = Normalise::kChannels;
    input.mean = {0.485, 0.456, 0.406};  // ImageNet's, as everybody uses them
    input.deviation = {0.229, 0.224, 0.225};
    input.augment = {.area = kDefaultArea, .flip = true};
    input.size = kDefaultSize;
    input.resize = default_resize(kDefaultSize);
  } else if (model.name == "cnn3") {
    input.normalise = Normalise::kMeanImage;
  } else if (model.name == "resnet32") {
    input.normalise = Normalise::kChannels;
    input.augment = {.pad = 4, .flip = true};
  }
  return input;
}

nlohmann::json to_json(const InputSpec& input) {
  nlohmann::json json = {{"normalise", kNormalise[static_cast<std::size_t>(input.normalise)]},
                         {"augment", "none"}};
  if (!input.mean.empty()) {
    json["mean"] = input.mean;
    json["deviation"] = input.deviation;
  }
  const AugmentSpec& augment = input.augment;
  if (input.size > 0) {
    if (augment.area > 0) json["augment"] = {{"area", augment.area}, {"flip", augment.flip}};
    json["size"] = input.size;
    json["resize"] = input.resize;
    json["corrupt"] = kCorrupt[static_cast<std::size_t>(input.corrupt)];
  } else if (augment.pad > 0 || augment.flip) {
    json["augment"] = {{"pad", augment.pad}, {"flip", augment.flip}};
  }
  return json;
}

Result<InputSpec> input_from_json(const nlohmann::json& json, const std::string& path,
                                  const DatasetSpec& dataset, const ModelSpec& model) {
  ObjectReader reader(json, path, "input");
  const InputSpec defaults = default_input(dataset, model);
  InputSpec input;
  const std::string& usual = kNormalise[static_cast<std::size_t>(defaults.normalise)];
  input.normalise =
      static_cast<Normalise>(index_of(kNormalise, reader.one_of("normalise", kNormalise, usual)));
  read_channels(reader, defaults, input);
  read_augment(reader, defaults, input);
  read_folder_keys(reader, defaults, input);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return input;
}

}  // namespace lrtune
