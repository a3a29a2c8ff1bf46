// JSON forms of common/training.h. Keys: docs/EXPERIMENTS.md.
#include <fmt/format.h>

#include <array>
#include <limits>

#include "common/json_reader.h"
#include "common/training.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostBatch = 1'000'000;  // samples; more is a slip of the pen
constexpr std::int64_t kMostThreads = 1024;
constexpr std::int64_t kMostRevision = 1'000'000;
constexpr std::size_t kMostShortText = 200;  // bytes

const std::array<std::string, 2> kPrecisions = {"float32", "bfloat16"};
const std::array<std::string, 2> kDevices = {"cpu", "cuda"};
const std::array<std::string, 2> kMemoryFormats = {"channels_last", "contiguous"};
const std::array<std::string, 3> kParts = {"train", "validation", "test"};

// An object inside an object: its own reader's error becomes the error of the outer one.
template <typename Read>
auto read_part(ObjectReader& outer, std::string_view key, Read read) {
  using Value = typename decltype(read(nlohmann::json(), std::string()))::value_type;
  const nlohmann::json* json = outer.required_raw(key);
  if (json == nullptr || outer.failed()) return Value{};
  auto value = read(*json, child_path(outer.path(), key));
  if (!value) {
    outer.error(value.error());
    return Value{};
  }
  return *std::move(value);
}

// The defaults depend on data set and model.
InputSpec read_input(ObjectReader& reader, const TrainSpec& spec) {
  if (!reader.has("input")) return default_input(spec.dataset, spec.model);
  return read_part(reader, "input", [&](const nlohmann::json& json, const std::string& path) {
    return input_from_json(json, path, spec.dataset, spec.model);
  });
}

// A worker says it, and it travels with each assignment.
std::string read_short_text(ObjectReader& reader, std::string_view key) {
  std::string text = reader.required_string(key);
  if (text.size() > kMostShortText) {
    reader.error(key, fmt::format("{} of numerics has {} bytes; at most {} are allowed", key,
                                  text.size(), kMostShortText));
  }
  return text;
}

Result<Digest> digest_from_json(const nlohmann::json& json, const std::string& path) {
  if (!json.is_string()) return fail("a fingerprint is a text of 64 hexadecimal digits", path);
  auto digest = Digest::from_hex(json.get_ref<const std::string&>());
  if (!digest) return fail(digest.error().message, path);
  return digest;
}

}  // namespace

// What is as usual of precision and inexact is not written out: identities are older than the keys.
nlohmann::json to_json(const TrainSpec& spec) {
  nlohmann::json json = {{"dataset", to_json(spec.dataset)},
                         {"validation", spec.validation},
                         {"model", to_json(spec.model)},
                         {"input", to_json(spec.input)},
                         {"optimizer", to_json(spec.optimizer)},
                         {"batch", spec.batch},
                         {"device", spec.device},
                         {"threads", spec.threads}};
  if (spec.precision != Precision::kFloat32)
    json["precision"] = kPrecisions[static_cast<std::size_t>(spec.precision)];
  if (spec.inexact) json["inexact"] = true;
  return json;
}

Result<TrainSpec> train_spec_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "train");
  TrainSpec spec;
  spec.dataset = read_part(reader, "dataset", dataset_from_json);
  spec.validation = reader.number("validation", Range::half_open(0, 1), kDefaultValidation);
  spec.model = read_part(reader, "model", model_from_json);
  spec.input = read_input(reader, spec);
  spec.optimizer = read_part(reader, "optimizer", optimizer_from_json);
  spec.batch = reader.required_integer("batch", 1, kMostBatch);
  spec.device = reader.one_of("device", kDevices, kDevices[0]);
  spec.threads = static_cast<int>(reader.integer("threads", 1, kMostThreads, 1));
  if (reader.one_of("precision", kPrecisions, kPrecisions[0]) == kPrecisions[1])
    spec.precision = Precision::kBfloat16;
  spec.inexact = reader.boolean("inexact", false);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return spec;
}

nlohmann::json to_json(const Target& target) {
  return {{std::string(name_of(target.measure)), target.value}};
}

Result<Target> target_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "target");
  Target target;
  const bool has_top1 = reader.has("top1");
  const bool has_loss = reader.has("loss");
  if (has_top1) {
    const nlohmann::json& value = *reader.raw("top1");
    if (value.is_number() && value.get<double>() > 1 && value.get<double>() <= 100) {
      reader.error("top1", fmt::format("top1 of target is a share from 0 to 1, not {}; for {} % "
                                       "write {}",
                                       value.dump(), value.dump(), value.get<double>() / 100));
    }
    target = {Measure::kTop1, reader.number("top1", Range::closed(0, 1), 0)};
  } else if (has_loss) {
    target = {Measure::kLoss, reader.number("loss", Range::at_least(0), 0)};
  }
  if (auto error = reader.finish()) return tl::unexpected(*error);
  if (has_top1 == has_loss) {
    return fail("target needs exactly one of the keys 'top1' (a share from 0 to 1) and 'loss'",
                path);
  }
  return target;
}

nlohmann::json to_json(const RunPlan& plan) {
  nlohmann::json json = {{"iterations", plan.iterations},
                         {"evaluate_every", plan.evaluate_every},
                         {"evaluate_on", std::string(name_of(plan.evaluate_on))},
                         {"train_subset", plan.train_subset},
                         {"stop_at_target", plan.stop_at_target}};
  if (plan.target) json["target"] = to_json(*plan.target);
  if (plan.max_seconds) json["max_seconds"] = *plan.max_seconds;
  if (plan.m_opt_every > 0) json["m_opt_every"] = plan.m_opt_every;
  return json;
}

Result<RunPlan> run_plan_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "run plan");
  RunPlan plan;
  plan.iterations = reader.required_integer("iterations", 0, kMost);
  plan.evaluate_every = reader.required_integer("evaluate_every", 1, kMost);
  plan.train_subset = reader.required_integer("train_subset", 0, kMost);
  const std::string on = reader.one_of("evaluate_on", kParts);
  plan.evaluate_on = part_from_name(on).value_or(Part::kValidation);
  plan.stop_at_target = reader.boolean("stop_at_target", false);
  if (reader.has("max_seconds"))
    plan.max_seconds = reader.required_number("max_seconds", Range::above(0));
  if (reader.has("m_opt_every"))
    plan.m_opt_every = reader.required_integer("m_opt_every", kLeastMoptInterval, kMost);
  if (reader.has("target")) plan.target = read_part(reader, "target", target_from_json);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return plan;
}

nlohmann::json to_json(const DataFacts& facts) {
  nlohmann::json json = {{"fingerprint", facts.fingerprint.hex()},
                         {"train_samples", facts.train_samples},
                         {"validation_samples", facts.validation_samples},
                         {"test_samples", facts.test_samples},
                         {"classes", facts.classes}};
  if (facts.network) json["network"] = facts.network->hex();
  return json;
}

Result<DataFacts> data_facts_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "data facts");
  DataFacts facts;
  facts.fingerprint = read_part(reader, "fingerprint", digest_from_json);
  facts.train_samples = reader.required_integer("train_samples", 0, kMost);
  facts.validation_samples = reader.required_integer("validation_samples", 0, kMost);
  facts.test_samples = reader.required_integer("test_samples", 0, kMost);
  facts.classes =
      static_cast<int>(reader.required_integer("classes", 0, std::numeric_limits<int>::max()));
  if (reader.has("network")) facts.network = read_part(reader, "network", digest_from_json);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return facts;
}

nlohmann::json to_json(const Numerics& numerics) {
  return {{"backend", numerics.backend}, {"revision", numerics.revision},
          {"device", numerics.device},   {"instruction_set", numerics.instruction_set},
          {"threads", numerics.threads}, {"memory_format", numerics.memory_format}};
}

Result<Numerics> numerics_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "numerics");
  Numerics numerics;
  numerics.backend = read_short_text(reader, "backend");
  numerics.revision = static_cast<int>(reader.required_integer("revision", 1, kMostRevision));
  numerics.device = reader.one_of("device", kDevices);
  numerics.instruction_set = read_short_text(reader, "instruction_set");
  numerics.threads = static_cast<int>(reader.required_integer("threads", 1, kMostThreads));
  numerics.memory_format = reader.one_of("memory_format", kMemoryFormats);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return numerics;
}

nlohmann::json to_json(const TrainingIdentity& identity) {
  return {{"train", to_json(identity.train)},
          {"data", to_json(identity.data)},
          {"numerics", to_json(identity.numerics)}};
}

Result<TrainingIdentity> training_identity_from_json(const nlohmann::json& json,
                                                     const std::string& path) {
  ObjectReader reader(json, path, "training identity");
  TrainingIdentity identity;
  identity.train = read_part(reader, "train", train_spec_from_json);
  identity.data = read_part(reader, "data", data_facts_from_json);
  identity.numerics = read_part(reader, "numerics", numerics_from_json);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return identity;
}

}  // namespace lrtune
