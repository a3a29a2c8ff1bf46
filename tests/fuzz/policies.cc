// Policies: JSON and YAML forms are read back to the same policy, and every rate of a policy that
// was accepted is a number that can be trained with.
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/config/located_json.h"
#include "common/policy/policy_json.h"
#include "common/policy/policy_yaml.h"
#include "tests/fuzz/target.h"

namespace lrtune::fuzz {
namespace {

constexpr std::array<std::int64_t, 7> kIterations = {
    0, 1, 2, 99, 1'000'000, std::int64_t{1} << 53, kNoEnd};

void check_rates(const Policy& policy) {
  if (policy.plateau) {
    for (const LrFunction& function : policy.plateau->functions)
      check_rates({.segments = {{.function = function}}});
    return;
  }
  for (const std::int64_t t : kIterations) {
    const double rate = learning_rate(policy, t);
    require(std::isfinite(rate) && rate >= 0, "a rate is finite and not negative");
  }
  std::array<double, 40> row{};
  learning_rates(policy, 90, row);
  for (std::size_t i = 0; i < row.size(); ++i) {
    require(row[i] == learning_rate(policy, 90 + static_cast<std::int64_t>(i)),
            "rates in a row are those one by one");
  }
}

}  // namespace

void policy(Bytes bytes) {
  const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (json.is_discarded()) return;
  PolicyContext context;
  context.run_iterations = 1000;
  context.samples_per_epoch = 250;
  context.batch = 10;
  const auto first = policy_from_json(json, context);
  if (!first) return require(!first.error().message.empty(), "a refusal says why");
  const auto from_store = policy_from_json(nlohmann::json::parse(to_json(*first).dump()), {});
  require(from_store && *from_store == *first, "its JSON is read back");
  const auto yaml = yaml_to_json(policy_to_yaml(*first, 2), "policy");
  require(yaml.has_value(), yaml ? "" : yaml.error().message);
  const auto from_yaml = policy_from_json(*yaml, {});
  require(from_yaml && *from_yaml == *first, "its YAML is read back");
  require(!describe(*first).empty(), "it has a description");
  check_rates(*first);
}

}  // namespace lrtune::fuzz
