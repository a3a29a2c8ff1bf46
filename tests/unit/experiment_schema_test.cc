// The published JSON Schema and the reader are two descriptions of one format: they must agree.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "common/config/experiment.h"
#include "common/config/from_range_test.h"
#include "common/config/located_json.h"
#include "common/policy/policy.h"
#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

using test::base_experiment;
using test::replaced;
using valijson::adapters::NlohmannJsonAdapter;

class ExperimentSchema : public ::testing::Test {
 protected:
  ExperimentSchema()
      : json_(nlohmann::json::parse(test::file_text("docs/experiment.schema.json"))) {
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(NlohmannJsonAdapter(json_), schema_);
  }

  // Empty if `text` is valid, else what is wrong.
  std::string refusal(const std::string& text) {
    const auto document = yaml_to_json(text, "e.yaml");
    if (!document) return document.error().message;
    valijson::ValidationResults results;
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    if (validator.validate(schema_, NlohmannJsonAdapter(*document), &results)) return "";
    std::ostringstream words("refused");
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      for (const std::string& step : error.context) words << step;
      words << ": " << error.description << '\n';
    }
    return words.str();
  }

  // The keys of the map at `pointer` in the schema.
  std::set<std::string> keys_at(const std::string& pointer) const {
    std::set<std::string> keys;
    const auto& map = json_.at(nlohmann::json::json_pointer(pointer)).at("properties");
    for (const auto& [key, value] : map.items()) keys.insert(key);
    return keys;
  }

  nlohmann::json json_;
  valijson::Schema schema_;
};

TEST_F(ExperimentSchema, AcceptsEveryExperiment) {
  int files = 0;
  const std::filesystem::path folder = std::string(LRTUNE_SOURCE_DIR) + "/experiments";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    const std::string text = test::file_text("experiments/" + entry.path().filename().string());
    EXPECT_EQ(refusal(text), "") << entry.path();
    const auto experiment =
        experiment_from_yaml(text, entry.path().filename().string(), kAnyRangeFinding);
    EXPECT_TRUE(experiment) << experiment.error().message;
    EXPECT_EQ(text.rfind("# yaml-language-server: $schema=../docs/experiment.schema.json\n", 0),
              0u);
  }
  EXPECT_GE(files, 5);
}

TEST_F(ExperimentSchema, AcceptsTheNormalForm) {
  for (const char* file : {"tests/fixtures/experiments/base.yaml", "experiments/quickstart.yaml"}) {
    const auto experiment = experiment_from_yaml(test::file_text(file), file);
    ASSERT_TRUE(experiment);
    EXPECT_EQ(refusal(experiment->normalised.dump()), "") << file;
  }
}

TEST_F(ExperimentSchema, AcceptsWhatTheReaderAccepts) {
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"iterations: 1000", "epochs: 1.5"},
      {"every: 100", "every: 1.5 epochs"},
      {"model: lenet", "model: {name: mlp, hidden: [20, 50], dropout: {uniform: [0, 0.5]}}"},
      {"model: lenet", "model: {name: mlp}"},
      {"model: lenet", "model: {name: torchscript, file: nets/own.pt}"},
      {"model: lenet",
       "model: {name: torchscript, file: [a.pt, b.pt], memory_format: channels_last}"},
      {"batch: 100", "batch: 100\n  precision: bfloat16"},
      {"batch: 100", "batch: 100\n  inexact: true"},
      {"every: 100}", "every: 100}\n  max_seconds: 3600"},
      {"every: 100}", "every: 100}\n  target: {loss: 0.1}\n  stop_at_target: true"},
      {"{name: momentum, momentum: 0.9, weight_decay: 5e-4}",
       "{name: sgd, weight_decay: {log: [1e-5, 1e-3]}}"},
      {"batch: 100", "batch: {int: [10, 20]}"},
      {"batch: 100", "batch: 100\n  input: {normalise: channels, augment: {pad: 4, flip: true}}"},
      {"batch: 100", "batch: 100\n  input: {normalise: [none, scale], augment: none}"},
      {"batch: 100",
       "batch: 100\n  input: {normalise: channels, mean: [0.1307], deviation: [0.3081]}"},
      {"batch: 100", "batch: 100\n  input: {augment: {pad: {int: [0, 4]}, flip: [true, false]}}"},
      {"batch: 100", "batch: [10, 20]"},
      {"name: mnist", "name: [mnist, fashion-mnist]"},
      {"name: mnist", "name: [cifar-10, cifar-100, svhn]"},
      {"model: lenet", "model: [lenet, cnn3, resnet32, resnet18, mlp]"},
      {"l: 200", "l: [200, 2 epochs]"},
      {"l: 200", "l: {int: [100, 200]}"},
      {"function: fix", "function: nstep, gamma: 0.1, l: [10, 20]"},
      {"function: fix", "function: nstep, gamma: 0.1, l: [[10, 20], [5]]"},
      {"function: fix", "function: nstep, gamma: 0.1, l: {choice: [[10, 20], [5]]}"},
      {"function: fix", "function: sig, gamma: -0.1, l: 0"},
      {"function: fix", "function: poly, p: [1, 2], k1: 0.001"},
      {"{function: fix, k0: 0.01}",
       "{name: reactive, controller: plateau, functions: [{function: fix, k0: 0.1}, {function: "
       "tri, "
       "k0: 0, k1: [0.1, 0.05], l: 1 epochs}], start: [0, 1], every: 200, metric: [loss, top1], "
       "window: {int: [2, 4]}, threshold: {log: [0.001, 0.1]}, cooldown: 3, length: 5000}"},
      {"{function: fix, k0: 0.01}",
       "{controller: plateau, functions: [{function: poly, k0: 0.1, p: 1}], start: 0}"},
      {"method: random\n  count: 10",
       "method: tree\n  boundaries: {every: 50}\n  tries: 3\n  keep: 2"},
      {"method: random\n  count: 10",
       "method: tree\n  boundaries: [10, 20]\n  tries: 3\n  draw: sobol"},
      {"method: random", "method: halving\n  first_rung: 50"},
      {"method: random", "method: asha\n  first_rung: 0.5 epochs\n  eta: 4\n  draw: sobol"},
      {"method: random", "method: tpe\n  startup: 5\n  good: 0.25\n  ei_candidates: 50"},
      {"method: random", "method: random\n  stop: {median: {}}"},
      {"method: random", "method: sobol\n  stop: {median: {after: 0.5 epochs, others: 3}}"},
      {"every: 100}\nsearch:\n  method: random",
       "every: 100}\n  target: {top1: 0.9}\nrank: {by: cost}\nsearch:\n  method: tpe\n  stop: "
       "{cannot_win: {places: 2}, median: {after: 10}}"},
      {"every: 100}\nsearch:\n  method: random",
       "every: 100}\n  target: {loss: 0.1}\nrank: {by: seconds}\nsearch:\n  method: tpe\n  stop: "
       "{median: {}}"},
      {"every: 100}", "every: 100}\n  m_opt: {every: 50}"},
      {"every: 100}", "every: 100}\n  m_opt: {every: 0.5 epochs}"},
      {"name: base", "name: base\ntolerance: {top: 3}"},
      {"name: base",
       "name: base\ntolerance: {scales: [0.5, 1, 2]}\nverify: {top: 1, repeats: 2}\nrank: {by: "
       "robustness, at: final}\nseed: 1"},
  };
  for (const auto& [part, with] : edits) {
    const std::string text = replaced(base_experiment(), part, with);
    const auto experiment = experiment_from_yaml(text, "e.yaml");
    EXPECT_TRUE(experiment) << experiment.error().message;
    EXPECT_EQ(refusal(text), "") << with;
  }
}

TEST_F(ExperimentSchema, AcceptsWhatARangeTestCanSay) {
  const auto with = [](const std::string& k1) {
    return replaced(base_experiment(), "{log: [0.02, 0.2]}", k1);
  };
  for (const std::string good :
       {"{from: range-test}", "{log: {from: range-test}}", "{uniform: {from: range-test}}"}) {
    EXPECT_EQ(refusal(with(good)), "") << good;
    EXPECT_TRUE(experiment_from_yaml(with(good), "e.yaml", kAnyRangeFinding)) << good;
  }
  const auto of_length = [](const std::string& l) {
    return replaced(base_experiment(), "l: 200", "l: " + l);
  };
  for (const std::string good : {"{from: range-test}", "{int: {from: range-test}}"}) {
    EXPECT_EQ(refusal(of_length(good)), "") << good;
    EXPECT_TRUE(experiment_from_yaml(of_length(good), "e.yaml", kAnyRangeFinding)) << good;
  }
  for (const std::string& bad :
       {with("{from: elsewhere}"), with("{int: {from: range-test}}"),
        with("{log: [0.01, {from: range-test}]}"), of_length("{log: {from: range-test}}"),
        of_length("{from: elsewhere}")}) {
    EXPECT_NE(refusal(bad), "") << bad;
    EXPECT_FALSE(experiment_from_yaml(bad, "e.yaml", kAnyRangeFinding)) << bad;
  }
}

TEST_F(ExperimentSchema, RefusesTheBadExamplesThatASchemaCanSee) {
  int refused = 0;
  for (const auto& [part, with, error, schema_refuses] : test::bad_experiments()) {
    const bool is_refused = !refusal(replaced(base_experiment(), part, with)).empty();
    EXPECT_EQ(is_refused, schema_refuses) << with << " -> " << error;
    refused += is_refused;
  }
  EXPECT_GE(refused, 80);
}

// The keys that the reader names when it meets one that it does not know.
std::set<std::string> keys_known_with(const std::string& text) {
  const auto experiment = experiment_from_yaml(text, "e.yaml");
  EXPECT_FALSE(experiment) << text;
  if (experiment) return {};
  std::string message = experiment.error().message;
  const std::string before = "known keys: ";
  const std::size_t start = message.find(before);
  EXPECT_NE(start, std::string::npos) << message;
  message = message.substr(start + before.size(), message.rfind(" (") - start - before.size());
  std::set<std::string> keys;
  std::istringstream words(message);
  for (std::string word; words >> word;) {
    if (word.back() == ',') word.pop_back();
    keys.insert(word);
  }
  return keys;
}

TEST_F(ExperimentSchema, KnowsTheKeysOfTheReader) {
  const auto expect_same = [&](const std::string& pointer, const std::string& part,
                               const std::string& with) {
    EXPECT_EQ(keys_at(pointer), keys_known_with(replaced(base_experiment(), part, with)))
        << pointer;
  };
  expect_same("", "name: base", "name: base\nqqqqqqqq: 1");
  expect_same("/properties/train", "batch: 100", "batch: 100\n  qqqqqqqq: 1");
  expect_same("/properties/train/properties/dataset", "name: mnist", "name: mnist, qqqqqqqq: 1");
  expect_same("/properties/train/properties/optimizer", "momentum: 0.9",
              "momentum: 0.9, qqqqqqqq: 1");
  expect_same("/properties/train/properties/input", "batch: 100",
              "batch: 100\n  input: {qqqqqqqq: 1}");
  expect_same("/properties/train/properties/input/properties/augment/anyOf/1", "batch: 100",
              "batch: 100\n  input: {augment: {qqqqqqqq: 1}}");
  expect_same("/properties/run", "iterations: 1000", "iterations: 1000\n  qqqqqqqq: 1");
  expect_same("/properties/run/properties/evaluate", "every: 100", "every: 100, qqqqqqqq: 1");
  expect_same("/properties/run/properties/target", "every: 100}",
              "every: 100}\n  target: {top1: 1, qqqqqqqq: 1}");
  expect_same("/properties/search", "count: 10", "count: 10\n  qqqqqqqq: 1");
  expect_same("/properties/search/properties/stop", "count: 10",
              "count: 10\n  stop: {qqqqqqqq: 1, median: {}}");
  expect_same("/properties/verify", "name: base",
              "name: base\nverify: {top: 1, repeats: 1, qqqqqqqq: 1}");
  expect_same("/properties/rank", "name: base", "name: base\nrank: {qqqqqqqq: 1}");
  expect_same("/properties/run/properties/m_opt", "every: 100}",
              "every: 100}\n  m_opt: {every: 50, qqqqqqqq: 1}");
  expect_same("/definitions/reactivePolicy", "{function: fix, k0: 0.01}",
              "{controller: plateau, functions: [{function: fix, k0: 1}], start: 0, qqqqqqqq: 1}");
  expect_same("/definitions/compositePolicy", "{function: fix, k0: 0.01}",
              "{segments: [{function: fix, k0: 1}], qqqqqqqq: 1}");
}

// Each optimizer's keys: one that another optimizer has is refused by both.
TEST_F(ExperimentSchema, KnowsTheKeysOfEveryOptimizer) {
  const std::string given = "{name: momentum, momentum: 0.9, weight_decay: 5e-4}";
  for (const std::string& name : known_optimizers()) {
    for (const char* key :
         {"", ", momentum: 0.5", ", style: torch", ", beta1: 0.5", ", beta2: 0.5", ", alpha: 0.5",
          ", rho: 0.5", ", eps: 0.5", ", initial_accumulator_value: 0.5", ", weight_decay: 0.5"}) {
      for (const char* more : {"", ", momentum: 0.1"}) {
        if (std::string(key).starts_with(", momentum") && *more != 0) continue;
        const std::string optimizer = "{name: " + name + key + more + "}";
        const std::string text = replaced(base_experiment(), given, optimizer);
        const bool accepted = experiment_from_yaml(text, "e.yaml").has_value();
        EXPECT_EQ(refusal(text).empty(), accepted) << optimizer;
      }
    }
  }
}

// Each function's keys: a required one that is left out and one that it does not take are refused
// by both.
TEST_F(ExperimentSchema, KnowsTheParametersOfEveryFunction) {
  for (const LrFunctionKind kind : all_lr_functions()) {
    const std::string name(name_of(kind));
    for (unsigned keys = 0; keys < 16; ++keys) {
      std::string policy = "{function: " + name + ", k0: 0.1";
      if ((keys & 1) != 0) policy += ", k1: 0.2";
      if ((keys & 2) != 0) policy += ", gamma: 0.9";
      if ((keys & 4) != 0) policy += ", p: 2";
      if ((keys & 8) != 0) policy += name == "nstep" ? ", l: [100]" : ", l: 100";
      policy += "}";
      const std::string text = replaced(base_experiment(), "{function: fix, k0: 0.01}", policy);
      const bool accepted = experiment_from_yaml(text, "e.yaml").has_value();
      EXPECT_EQ(refusal(text).empty(), accepted) << policy;
      const std::string segments =
          "{segments: [{until: 10, function: fix, k0: 1}, " + policy + "]}";
      const std::string composite =
          replaced(base_experiment(), "{function: fix, k0: 0.01}", segments);
      EXPECT_EQ(refusal(composite).empty(), accepted) << segments;
    }
  }
}

}  // namespace
}  // namespace lrtune
