#include "common/training/optimizer_spec.h"

#include <fmt/format.h>

#include <array>

#include "common/json_reader.h"

namespace lrtune {
namespace {

const std::array<std::string, 2> kStyles = {"paper", "torch"};
const std::array<std::string, 2> kOptimizers = {"sgd", "momentum"};

}  // namespace

nlohmann::json to_json(const OptimizerSpec& optimizer) {
  nlohmann::json json = {{"name", optimizer.name}, {"weight_decay", optimizer.weight_decay}};
  if (optimizer.name == "momentum") {
    json["momentum"] = optimizer.momentum;
    json["style"] = kStyles[static_cast<std::size_t>(optimizer.style)];
  }
  return json;
}

Result<OptimizerSpec> optimizer_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "optimizer");
  OptimizerSpec optimizer;
  optimizer.name = reader.one_of("name", kOptimizers);
  optimizer.weight_decay = reader.number("weight_decay", Range::at_least(0), 0);
  if (optimizer.name == "momentum") {
    const std::string style = reader.one_of("style", kStyles, kStyles[0]);
    optimizer.style = style == kStyles[0] ? MomentumStyle::kPaper : MomentumStyle::kTorch;
    optimizer.momentum = reader.required_number("momentum", Range::half_open(0, 1));
  } else {
    for (const char* key : {"style", "momentum"}) {
      if (reader.has(key)) {
        reader.error(key, fmt::format("optimizer sgd has no {}; name: momentum has one", key));
      }
    }
  }
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return optimizer;
}

}  // namespace lrtune
