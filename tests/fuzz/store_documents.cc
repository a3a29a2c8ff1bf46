// The JSON documents of the store: what one is read as is written and read back equal.
#include <nlohmann/json.hpp>

#include "common/config/experiment.h"
#include "common/training.h"
#include "tests/fuzz/target.h"

namespace lrtune::fuzz {
namespace {

template <typename Value>
void round_trip(const nlohmann::json& json,
                Result<Value> (*read)(const nlohmann::json&, const std::string&)) {
  const auto first = read(json, "");
  if (!first) return require(!first.error().message.empty(), "a refusal says why");
  const auto again = read(nlohmann::json::parse(to_json(*first).dump()), "");
  require(again.has_value(), again ? "" : again.error().message);
  require(*again == *first, "a document is read back");
}

void experiment_round_trip(const nlohmann::json& json) {
  const auto first = experiment_from_json(json);
  if (!first) return require(!first.error().message.empty(), "a refusal says why");
  const auto again = experiment_from_json(nlohmann::json::parse(first->normalised.dump()));
  require(again.has_value(), again ? "" : again.error().message);
  require(again->hash == first->hash, "an experiment in its normal form is the same experiment");
}

}  // namespace

void store_document(Bytes bytes) {
  const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (json.is_discarded()) return;
  round_trip<TrainingIdentity>(json, &training_identity_from_json);
  round_trip<RunPlan>(json, &run_plan_from_json);
  experiment_round_trip(json);
}

}  // namespace lrtune::fuzz
