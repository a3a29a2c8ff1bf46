#include "common/training/optimizer_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "common/json_reader.h"

namespace lrtune {
namespace {

const std::array<std::string, 2> kStyles = {"paper", "torch"};

struct Setting {
  std::string key;
  double OptimizerSpec::*field;
  Range range;
};

// What one optimizer takes; no default: the key is needed.
struct Taken {
  std::string key;
  std::optional<double> fallback;
};

struct Entry {
  std::string name;
  std::vector<Taken> numbers;
  bool has_style = false;
};

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = {
      {"momentum", &OptimizerSpec::momentum, Range::half_open(0, 1)},
      {"weight_decay", &OptimizerSpec::weight_decay, Range::at_least(0)},
      {"beta1", &OptimizerSpec::beta1, Range::half_open(0, 1)},
      {"beta2", &OptimizerSpec::beta2, Range::half_open(0, 1)},
      {"alpha", &OptimizerSpec::alpha, Range::half_open(0, 1)},
      {"rho", &OptimizerSpec::rho, Range::half_open(0, 1)},
      {"eps", &OptimizerSpec::eps, Range::above(0)},
      {"initial_accumulator_value", &OptimizerSpec::initial_accumulator_value, Range::at_least(0)},
  };
  return all;
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = {
      {"sgd", {{"weight_decay", 0}}},
      {"momentum", {{"momentum", {}}, {"weight_decay", 0}}, true},
      {"nesterov", {{"momentum", {}}, {"weight_decay", 0}}},
      {"adam", {{"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}, {"weight_decay", 0}}},
      {"adamw", {{"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}, {"weight_decay", 0.01}}},
      {"adagrad", {{"eps", 1e-10}, {"initial_accumulator_value", 0}, {"weight_decay", 0}}},
      {"rmsprop", {{"alpha", 0.99}, {"eps", 1e-8}, {"momentum", 0}, {"weight_decay", 0}}},
      {"adadelta", {{"eps", 1e-6}, {"rho", 0.9}, {"weight_decay", 0}}},
  };
  return all;
}

const Entry* entry_named(const std::string& name) {
  for (const Entry& entry : entries()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

const Taken* taken(const Entry& entry, const std::string& key) {
  const auto at = std::find_if(entry.numbers.begin(), entry.numbers.end(),
                               [&](const Taken& number) { return number.key == key; });
  return at == entry.numbers.end() ? nullptr : &*at;
}

// A key that stands there though `entry` has none such.
void refuse(ObjectReader& reader, const Entry& entry, const std::string& key) {
  if (!reader.has(key)) return;
  std::vector<std::string> owners;
  for (const Entry& other : entries()) {
    if (key == "style" ? other.has_style : taken(other, key) != nullptr)
      owners.push_back(other.name);
  }
  reader.error(key, fmt::format("optimizer {} has no {}; {} {} one", entry.name, key,
                                fmt::join(owners, ", "), owners.size() == 1 ? "has" : "have"));
}

double read_number(ObjectReader& reader, const Setting& setting, const Taken& number) {
  if (!number.fallback) return reader.required_number(setting.key, setting.range);
  return reader.number(setting.key, setting.range, *number.fallback);
}

}  // namespace

std::span<const std::string> known_optimizers() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Entry& entry : entries()) all.push_back(entry.name);
    return all;
  }();
  return names;
}

nlohmann::json optimizer_defaults(const std::string& name) {
  nlohmann::json defaults = nlohmann::json::object();
  const Entry* entry = entry_named(name);
  if (entry == nullptr) return defaults;
  for (const Taken& number : entry->numbers) {
    if (number.fallback) defaults[number.key] = *number.fallback;
  }
  if (entry->has_style) defaults["style"] = kStyles[0];
  return defaults;
}

nlohmann::json to_json(const OptimizerSpec& optimizer) {
  nlohmann::json json = {{"name", optimizer.name}};
  const Entry* entry = entry_named(optimizer.name);
  if (entry == nullptr) return json;
  for (const Setting& setting : settings()) {
    if (taken(*entry, setting.key) != nullptr) json[setting.key] = optimizer.*setting.field;
  }
  if (entry->has_style) json["style"] = kStyles[static_cast<std::size_t>(optimizer.style)];
  return json;
}

Result<OptimizerSpec> optimizer_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "optimizer");
  OptimizerSpec optimizer;
  optimizer.name = reader.one_of("name", known_optimizers());
  if (const Entry* entry = entry_named(optimizer.name)) {
    for (const Setting& setting : settings()) {
      if (const Taken* number = taken(*entry, setting.key)) {
        optimizer.*setting.field = read_number(reader, setting, *number);
      } else {
        refuse(reader, *entry, setting.key);
      }
    }
    if (entry->has_style) {
      const std::string style = reader.one_of("style", kStyles, kStyles[0]);
      optimizer.style = style == kStyles[0] ? MomentumStyle::kPaper : MomentumStyle::kTorch;
    } else {
      refuse(reader, *entry, "style");
    }
  }
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return optimizer;
}

}  // namespace lrtune
