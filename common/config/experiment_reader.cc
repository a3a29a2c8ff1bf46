#include "common/config/experiment_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "common/config/length_reader.h"
#include "common/config/search_reader.h"
#include "common/config/template.h"
#include "common/json_reader.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostRepeats = 1000;
constexpr std::int64_t kMostSamples = 1'000'000'000;

// As many samples as MNIST's test part: train and test metrics are then equally exact.
constexpr std::int64_t kDefaultTrainSamples = 10'000;
// Evaluations in a run, the one at iteration 0 aside, if the file does not say.
constexpr std::int64_t kDefaultEvaluations = 20;

const std::array<std::string, 2> kEvaluatedParts = {"validation", "test"};

std::vector<std::string> texts(std::initializer_list<std::string_view> names) {
  return {names.begin(), names.end()};
}

std::string read_name(ObjectReader& reader) {
  const std::string name = reader.required_string("name");
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  const bool fits = !name.empty() && name.size() <= kMostNameLetters && name.front() != '.' &&
                    name.front() != '-' && std::all_of(name.begin(), name.end(), is_plain);
  if (!fits) {
    reader.error("name",
                 fmt::format("name must have 1 to {} letters, digits, '-', '_' and '.', and start "
                             "with a letter, a digit or '_', not '{}'",
                             kMostNameLetters, name));
  }
  return name;
}

// Below 2^63: the store's integers are signed.
std::uint64_t read_seed(ObjectReader& reader) {
  const nlohmann::json* seed = reader.raw("seed");
  if (seed == nullptr) return 0;
  if (seed->is_number_unsigned() &&
      seed->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    reader.error("seed",
                 fmt::format("seed must be a whole number from 0 to 2^63-1, not {}", seed->dump()));
  }
  constexpr auto kMostSeed = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::uint64_t>(reader.integer("seed", 0, kMostSeed, 0));
}

void read_length(ObjectReader& reader, Experiment& experiment) {
  const bool in_iterations = reader.has("iterations");
  const bool in_epochs = reader.has("epochs");
  if (in_iterations) {
    experiment.length.iterations = reader.integer("iterations", 1, kMostIterations, 1);
    if (in_epochs) reader.error("epochs", "run takes iterations or epochs, not both");
  } else if (in_epochs) {
    Range range = Range::closed(0, kMostEpochs);
    range.low_open = true;
    experiment.length.epochs = reader.number("epochs", range, 1);
  } else {
    reader.error_missing({"iterations", "epochs"});
  }
}

RunLength default_interval(const RunLength& length) {
  if (length.epochs > 0) return {0, length.epochs / kDefaultEvaluations};
  return {(length.iterations + kDefaultEvaluations - 1) / kDefaultEvaluations, 0};
}

RunLength read_interval(ObjectReader& reader, const nlohmann::json* every, const char* of,
                        std::int64_t least) {
  return read_iterations(reader, "every", *every, fmt::format("every of {}", of), least);
}

std::optional<Error> read_evaluate(const nlohmann::json& json, const std::string& path,
                                   Experiment& experiment) {
  ObjectReader reader(json, path, "evaluate");
  const nlohmann::json* every = reader.raw("every");
  experiment.evaluate_every = every == nullptr ? default_interval(experiment.length)
                                               : read_interval(reader, every, "evaluate", 1);
  const std::string on = reader.one_of("on", kEvaluatedParts, kEvaluatedParts[0]);
  experiment.evaluate_on = on == "test" ? Part::kTest : Part::kValidation;
  experiment.train_subset = reader.integer("train_samples", 1, kMostSamples, kDefaultTrainSamples);
  return reader.finish();
}

std::optional<Error> read_m_opt(const nlohmann::json& json, const std::string& path,
                                Experiment& experiment) {
  ObjectReader reader(json, path, "m_opt");
  if (const nlohmann::json* every = reader.required_raw("every"); every != nullptr)
    experiment.m_opt_every = read_interval(reader, every, "m_opt", kLeastMoptInterval);
  return reader.finish();
}

std::optional<Error> read_run(const nlohmann::json& json, const std::string& path,
                              Experiment& experiment) {
  ObjectReader reader(json, path, "run");
  read_length(reader, experiment);
  static const nlohmann::json kNone = nlohmann::json::object();
  const nlohmann::json* evaluate = reader.raw("evaluate");
  if (auto error = read_evaluate(evaluate != nullptr ? *evaluate : kNone,
                                 child_path(path, "evaluate"), experiment)) {
    reader.error(*error);
  }
  if (const nlohmann::json* json_target = reader.raw("target"); json_target != nullptr) {
    auto target = target_from_json(*json_target, child_path(path, "target"));
    if (target) {
      experiment.target = *target;
    } else {
      reader.error(target.error());
    }
  }
  experiment.stop_at_target = reader.boolean("stop_at_target", false);
  if (experiment.stop_at_target && !experiment.target) {
    reader.error("stop_at_target", "stop_at_target: true needs a target");
  }
  if (reader.has("max_seconds"))
    experiment.max_seconds = reader.required_number("max_seconds", Range::above(0));
  if (const nlohmann::json* m_opt = reader.raw("m_opt"); m_opt != nullptr) {
    if (auto error = read_m_opt(*m_opt, child_path(path, "m_opt"), experiment))
      reader.error(*error);
  }
  return reader.finish();
}

std::optional<Error> read_verify(const nlohmann::json& json, const std::string& path,
                                 Experiment& experiment) {
  ObjectReader reader(json, path, "verify");
  experiment.verify_top = static_cast<int>(reader.required_integer("top", 1, kMostRepeats));
  experiment.verify_repeats = static_cast<int>(reader.required_integer("repeats", 1, kMostRepeats));
  if (reader.has("settled")) {
    experiment.verify_settled = reader.required_number("settled", Range::open(0, 1));
    if (experiment.verify_repeats < 2) {
      reader.error("repeats",
                   "repeats of verify must be 2 or more with settled: an order cannot be "
                   "judged by one run of each");
    }
  }
  return reader.finish();
}

// The paper's, section 3.
constexpr std::array<double, 5> kUsualScales = {0.1, 0.5, 1, 5, 10};
constexpr Range kScale{.low = 1e-6, .high = 1e6};
constexpr std::size_t kMostScales = 100;

std::vector<double> read_scales(ObjectReader& reader) {
  const nlohmann::json* list = reader.raw("scales");
  if (list == nullptr) return {kUsualScales.begin(), kUsualScales.end()};
  std::vector<double> scales;
  for (std::size_t i = 0; list->is_array() && i < std::min(list->size(), kMostScales + 1); ++i) {
    if ((*list)[i].is_number() && kScale.contains((*list)[i])) scales.push_back((*list)[i]);
  }
  const bool ascending =
      std::adjacent_find(scales.begin(), scales.end(), std::greater_equal<>()) == scales.end();
  if (scales.empty() || scales.size() > kMostScales || scales.size() != list->size() ||
      !ascending) {
    reader.error("scales", fmt::format("scales of tolerance must be a list of 1 to {} numbers {}, "
                                       "ascending, not {}",
                                       kMostScales, kScale.words(), list->dump()));
  }
  return scales;
}

std::optional<Error> read_tolerance(const nlohmann::json& json, const std::string& path,
                                    Experiment& experiment) {
  ObjectReader reader(json, path, "tolerance");
  experiment.tolerance_top = static_cast<int>(reader.integer("top", 1, kMostRepeats, 1));
  experiment.tolerance_scales = read_scales(reader);
  return reader.finish();
}

std::optional<Error> read_rank(const nlohmann::json& json, const std::string& path,
                               Experiment& experiment) {
  ObjectReader reader(json, path, "rank");
  static const std::vector<std::string> kBy =
      texts({"top1", "loss", "cost", "robustness", "seconds"});
  static const std::vector<std::string> kAt = texts({"best", "final"});
  experiment.rank_by = rank_by_from_name(reader.one_of("by", kBy, "top1")).value_or(RankBy::kTop1);
  experiment.rank_at = reader.one_of("at", kAt, "best") == "best" ? RankAt::kBest : RankAt::kFinal;
  if (experiment.rank_by == RankBy::kCost && !experiment.target) {
    reader.error("by", "by: cost of rank counts the iterations to the target: run needs a target");
  }
  if (experiment.rank_by == RankBy::kSeconds && !experiment.target) {
    reader.error("by", "by: seconds of rank counts the seconds to the target: run needs a target");
  }
  return reader.finish();
}

using Read = std::optional<Error> (*)(const nlohmann::json&, const std::string&, Experiment&);

void read_section(ObjectReader& reader, std::string_view key, Read read, Experiment& experiment) {
  const nlohmann::json* json = reader.raw(key);
  if (json == nullptr) return;
  if (auto error = read(*json, child_path("", key), experiment)) reader.error(*error);
}

std::optional<Error> read_train(const nlohmann::json& json, const std::string& path,
                                Experiment& experiment) {
  auto train = train_template_from_json(json, experiment.method, path);
  if (!train) return train.error();
  experiment.train = *std::move(train);
  return std::nullopt;
}

// Without a held out part there is nothing to evaluate but the test data, and that must be said.
std::optional<Error> check_evaluated_part(const Experiment& experiment) {
  if (experiment.evaluate_on != Part::kValidation) return std::nullopt;
  const nlohmann::json& tree = experiment.train.tree;
  std::vector<nlohmann::json> values;
  if (tree.is_object() && tree.contains("validation")) values.push_back(tree["validation"]);
  for (const Template::Hole& hole : experiment.train.holes) {
    if (hole.place.to_string() != "/validation") continue;
    values = hole.domain.choices;
    values.emplace_back(hole.domain.kind == Domain::Kind::kChoice ? 1 : hole.domain.low);
  }
  const auto is_zero = [](const nlohmann::json& value) { return value.is_number() && value == 0; };
  if (std::none_of(values.begin(), values.end(), is_zero)) return std::nullopt;
  return Error{
      "validation 0 holds nothing out to evaluate; allowed only with run: {evaluate: {on: test}}",
      "/train/validation"};
}

}  // namespace

Result<Experiment> read_experiment(const nlohmann::json& json) {
  Experiment experiment;
  ObjectReader reader(json, "", "the experiment");
  experiment.name = read_name(reader);
  for (const char* key : {"train", "run", "search"}) reader.required_raw(key);
  read_section(reader, "search", read_search, experiment);  // its method says what train may hold
  read_section(reader, "train", read_train, experiment);
  read_section(reader, "run", read_run, experiment);
  experiment.seed = read_seed(reader);
  read_section(reader, "verify", read_verify, experiment);
  read_section(reader, "tolerance", read_tolerance, experiment);
  read_section(reader, "rank", read_rank, experiment);
  if (auto error = check_evaluated_part(experiment)) reader.error(*error);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  if (auto error = complete_search(experiment)) return tl::unexpected(*error);
  return experiment;
}

}  // namespace lrtune
