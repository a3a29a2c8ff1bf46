#include "common/config/experiment.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/config/from_range_test.h"
#include "common/config/run_plan.h"
#include "common/config/template.h"
#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

using test::base_experiment;
using test::replaced;

Experiment read(const std::string& text) {
  auto experiment = experiment_from_yaml(text, "e.yaml");
  EXPECT_TRUE(experiment) << experiment.error().message;
  return experiment.value_or(Experiment{});
}

Experiment with(const std::string& part, const std::string& replacement) {
  return read(replaced(base_experiment(), part, replacement));
}

TEST(Experiment, FieldsOfTheBase) {
  const Experiment experiment = read(base_experiment());
  EXPECT_EQ(experiment.name, "base");
  EXPECT_EQ(experiment.length, (RunLength{1000, 0}));
  EXPECT_EQ(experiment.evaluate_every, (RunLength{100, 0}));
  EXPECT_EQ(experiment.method, SearchMethod::kRandom);
  EXPECT_EQ(experiment.count, 10);
  ASSERT_EQ(experiment.policies.size(), 2u);
  const auto& holes = experiment.policies[1].holes;
  ASSERT_EQ(holes.size(), 2u);
  EXPECT_EQ(holes[0].place.to_string(), "/function");
  EXPECT_EQ(holes[0].domain.choices, (std::vector<nlohmann::json>{"tri", "sin"}));
  EXPECT_EQ(holes[1].place.to_string(), "/k1");
  EXPECT_EQ(holes[1].domain.kind, Domain::Kind::kLog);
  EXPECT_EQ(holes[1].domain.low, 0.02);
  EXPECT_EQ(holes[1].domain.high, 0.2);
  EXPECT_TRUE(experiment.policies[1].tree.at("k1").is_null());
}

TEST(Experiment, Defaults) {
  const Experiment experiment = with("  evaluate: {every: 100}\n", "");
  EXPECT_EQ(experiment.evaluate_every, (RunLength{50, 0}));  // a twentieth
  EXPECT_EQ(experiment.evaluate_on, Part::kValidation);
  EXPECT_EQ(experiment.train_subset, 10'000);
  EXPECT_FALSE(experiment.target);
  EXPECT_FALSE(experiment.stop_at_target);
  EXPECT_EQ(experiment.seed, 0u);
  EXPECT_EQ(experiment.verify_top, 0);
  EXPECT_EQ(experiment.rank_by, RankBy::kTop1);
  EXPECT_EQ(experiment.rank_at, RankAt::kBest);
  const nlohmann::json train = with("  validation: 0.1\n", "").train.tree;
  EXPECT_EQ(train.at("validation"), 0.1);
  EXPECT_EQ(train.at("device"), "cpu");
  EXPECT_EQ(train.at("threads"), 1);
  EXPECT_EQ(train.at("optimizer").at("style"), "paper");
}

TEST(Experiment, DefaultIntervalIsATwentiethRoundedUp) {
  EXPECT_EQ(with("iterations: 1000\n  evaluate: {every: 100}", "iterations: 1001").evaluate_every,
            (RunLength{51, 0}));
  EXPECT_EQ(with("iterations: 1000\n  evaluate: {every: 100}", "epochs: 17").evaluate_every,
            (RunLength{0, 17.0 / 20}));
}

// Writings of the same experiment have the same normal form.
TEST(Experiment, NormalFormForgetsSpelling) {
  const Experiment base = read(base_experiment());
  const std::vector<std::pair<std::string, std::string>> same = {
      {"name: base", "# a comment\nname:   base   # another"},
      {"name: base", "\"name\": 'base'"},
      {"iterations: 1000", "iterations: 1e3"},
      {"iterations: 1000", "iterations: 1000.0"},
      {"weight_decay: 5e-4", "weight_decay: 0.0005"},
      {"momentum: 0.9, weight_decay: 5e-4", "weight_decay: 5e-4, style: paper, momentum: 0.90"},
      {"batch: 100", "batch: 0x64\n  device: cpu\n  threads: 1"},
      {"  validation: 0.1\n", ""},
      {"dataset: {name: mnist}", "dataset:\n    name: mnist\n    path: ''"},
      {"every: 100", "every: 100, on: validation, train_samples: 10000"},
      {"name: base", "name: base\nseed: 0\nrank: {at: best}"},
      {"every: 100}", "every: 100}\n  stop_at_target: false"},
      {"function: [tri, sin]", "function: {choice: [tri, sin]}"},
      {"{log: [0.02, 0.2]}", "{log: [2e-2, 2e-1]}"},
      {"      k0: 0.01\n      k1: {log: [0.02, 0.2]}",
       "      k1: {log: [0.02, 0.2]}\n      k0: 1e-2"},
      {"l: 200", "l: 2e2"},
  };
  for (const auto& [part, replacement] : same) {
    const Experiment other = with(part, replacement);
    EXPECT_EQ(other.normalised, base.normalised) << replacement;
    EXPECT_EQ(other.hash, base.hash) << replacement;
  }
}

TEST(Experiment, NormalFormOfLengthsAndPolicies) {
  const auto normal = [](const std::string& policy) {
    return with("{function: fix, k0: 0.01}", policy).normalised["search"]["policies"][0].dump();
  };
  EXPECT_EQ(normal("{function: tri, k0: 0.0, k1: 1.0, l: 1.50 epoch}"),
            R"({"function":"tri","k0":0,"k1":1,"l":"1.5 epochs"})");
  EXPECT_EQ(normal("{function: tri, k0: -0.0, k1: 1, l: 15epochs}"),
            R"({"function":"tri","k0":0,"k1":1,"l":"15 epochs"})");
  EXPECT_EQ(normal("{function: poly, k0: 1, p: 1}"), R"({"function":"poly","k0":1,"k1":0,"p":1})");
  EXPECT_EQ(
      normal("{segments: [{until: 5e2, from_t: 0, function: fix, k0: 1}, {function: fix, k0: 2}]}"),
      R"({"segments":[{"function":"fix","k0":1,"until":500},{"function":"fix","k0":2}]})");
  EXPECT_EQ(normal("{function: nstep, k0: 1, gamma: 0.1, l: [100, 1 epochs]}"),
            R"({"function":"nstep","gamma":0.1,"k0":1,"l":[100,"1 epochs"]})");
  EXPECT_EQ(normal("{function: nstep, k0: 1, gamma: 0.1, l: [[100, 2e2], [300]]}"),
            R"({"function":"nstep","gamma":0.1,"k0":1,"l":{"choice":[[100,200],[300]]}})");
}

TEST(Experiment, NormalFormWritesOutWhatAModelHas) {
  const auto model_of = [](const std::string& text) {
    const auto experiment =
        experiment_from_yaml(replaced(base_experiment(), "model: lenet", text), "e.yaml");
    return experiment ? experiment->normalised["train"]["model"].dump()
                      : experiment.error().message;
  };
  EXPECT_EQ(model_of("model: {name: lenet}"), R"("lenet")");
  const std::string mlp = R"({"dropout":0,"hidden":128,"name":"mlp"})";
  EXPECT_EQ(model_of("model: mlp"), mlp);
  EXPECT_EQ(model_of("model: {name: mlp, dropout: 0}"), mlp);
  EXPECT_EQ(model_of("model: {name: mlp, hidden: [20, 50]}"),
            R"({"hidden":{"choice":[20,50]},"name":"mlp"})");
}

// What changes a run, its candidates, their order or the judgement makes another experiment.
TEST(Experiment, EditsChangeTheHash) {
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"name: base", "name: other"},
      {"name: mnist", "name: fashion-mnist"},
      {"validation: 0.1", "validation: 0.2"},
      {"momentum: 0.9", "momentum: 0.8"},
      {"momentum: 0.9", "momentum: 0.9, style: torch"},
      {"batch: 100", "batch: 50"},
      {"batch: 100", "batch: 100\n  threads: 2"},
      {"iterations: 1000", "iterations: 2000"},
      {"iterations: 1000", "epochs: 1000"},
      {"every: 100", "every: 200"},
      {"every: 100", "every: 100 epochs"},
      {"every: 100", "every: 100, on: test"},
      {"every: 100", "every: 100, train_samples: 5000"},
      {"every: 100}", "every: 100}\n  target: {top1: 0.9}"},
      {"every: 100}", "every: 100}\n  target: {loss: 0.9}"},
      {"every: 100}", "every: 100}\n  target: {top1: 0.9}\n  stop_at_target: true"},
      {"every: 100}", "every: 100}\n  max_seconds: 60"},
      {"name: base", "name: base\nseed: 1"},
      {"name: base", "name: base\nverify: {top: 1, repeats: 1}"},
      {"name: base", "name: base\nverify: {top: 2, repeats: 1}"},
      {"name: base", "name: base\nrank: {by: loss}"},
      {"name: base", "name: base\nrank: {at: final}"},
      {"count: 10", "count: 11"},
      {"k0: 0.01}", "k0: 0.02}"},
      {"k0: 0.01}", "k0: 0.01, name: label}"},
      {"[tri, sin]", "[sin, tri]"},
      {"{log: [0.02, 0.2]}", "{uniform: [0.02, 0.2]}"},
      {"{log: [0.02, 0.2]}", "{log: [0.02, 0.3]}"},
  };
  std::vector<Digest> seen = {read(base_experiment()).hash};
  for (const auto& [part, replacement] : edits) {
    const Digest hash = with(part, replacement).hash;
    EXPECT_EQ(std::count(seen.begin(), seen.end(), hash), 0) << replacement;
    seen.push_back(hash);
  }
}

// Stores keep the hash: it must not change while the meaning does not.
TEST(Experiment, HashIsPinned) {
  EXPECT_EQ(read(base_experiment()).hash.hex(),
            "69351fabfd3ee935a6e76cac1abe8be3258b335a1c3429939a58dcfc2d0ee610");
}

TEST(Experiment, NormalFormReadsAsTheSameExperiment) {
  for (const char* file : {"tests/fixtures/experiments/base.yaml", "experiments/quickstart.yaml",
                           "experiments/mnist-lenet.yaml", "experiments/mnist-lenet-search.yaml"}) {
    const Experiment experiment = read(test::file_text(file));
    const auto again = experiment_from_json(nlohmann::json::parse(experiment.normalised.dump()));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->normalised, experiment.normalised) << file;
    EXPECT_EQ(again->hash, experiment.hash) << file;
    EXPECT_EQ(to_json(again->train), to_json(experiment.train)) << file;
    ASSERT_EQ(again->policies.size(), experiment.policies.size());
    for (std::size_t i = 0; i < again->policies.size(); ++i) {
      EXPECT_EQ(to_json(again->policies[i]), to_json(experiment.policies[i])) << file;
    }
  }
}

TEST(Experiment, ExampleOfTheManualIsOne) {
  const std::string page = test::file_text("docs/EXPERIMENTS.md");
  const std::string fence = "```yaml\n";
  const std::size_t start = page.find(fence);
  ASSERT_NE(start, std::string::npos);
  const std::string example = page.substr(start + fence.size());
  EXPECT_EQ(read(example.substr(0, example.find("```"))).name, "example");
}

TEST(Experiment, TrainMayHoldDomains) {
  const Experiment experiment = with("batch: 100", "batch: [50, 100]");
  ASSERT_EQ(experiment.train.holes.size(), 1u);
  EXPECT_EQ(experiment.train.holes[0].place.to_string(), "/batch");
  EXPECT_EQ(with("momentum: 0.9", "momentum: {uniform: [0.5, 0.95]}").train.holes[0].domain.kind,
            Domain::Kind::kUniform);
}

TEST(Experiment, NamesRoundTrip) {
  for (const RankBy by :
       {RankBy::kTop1, RankBy::kLoss, RankBy::kCost, RankBy::kRobustness, RankBy::kSeconds}) {
    EXPECT_EQ(rank_by_from_name(name_of(by)), by);
  }
  EXPECT_EQ(rank_by_from_name("top").error().message,
            "a ranking is by one of top1, loss, cost, robustness, seconds, not 'top'; did you mean "
            "'top1'?");
}

TEST(RunPlan, EpochsBecomeIterations) {
  const Experiment experiment = with("iterations: 1000\n  evaluate: {every: 100}",
                                     "epochs: 1.5\n  evaluate: {every: 0.07 epochs}");
  TrainSpec train;
  train.batch = 100;
  const auto plan = run_plan_of(experiment, train, {Digest{}, 60000, 1, 10000, 10});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->iterations, 900);
  EXPECT_EQ(plan->evaluate_every, 42);  // 0.07 * 60000 / 100 is a little above 42 in doubles
  EXPECT_EQ(plan->train_subset, 10'000);
  EXPECT_EQ(run_plan_of(experiment, train, {Digest{}, 101, 1, 1, 10})->iterations, 2);  // 1.515 up
  EXPECT_EQ(run_plan_of(experiment, train, {Digest{}, 101, 1, 1, 10})->train_subset, 101);
  EXPECT_EQ(policy_context_of(*plan, train, {Digest{}, 60000, 1, 1, 10}).run_iterations, 900);
}

// Regression: a run of 10^12 iterations kept the coordinator computing its name for hours.
TEST(RunPlan, HasABoundInEpochsToo) {
  const Experiment experiment =
      with("iterations: 1000\n  evaluate: {every: 100}", "epochs: 100\n  evaluate: {every: 100}");
  TrainSpec train;
  train.batch = 1;
  EXPECT_EQ(run_plan_of(experiment, train, {Digest{}, 200'000, 1, 10, 10})->iterations, 20'000'000);
  EXPECT_EQ(run_plan_of(experiment, train, {Digest{}, 200'001, 1, 10, 10}).error().message,
            "the run has 20000100 iterations; at most 20000000 are allowed");
}

TEST(RunPlan, NothingToEvaluateIsAnError) {
  const Experiment experiment = read(base_experiment());
  TrainSpec train;
  train.dataset.name = "mnist";
  train.batch = 100;
  EXPECT_EQ(run_plan_of(experiment, train, {Digest{}, 100, 0, 10, 10}).error().message,
            "the validation part of mnist has no sample to evaluate");
  EXPECT_EQ(run_plan_of(experiment, train, {Digest{}, 0, 10, 10, 10}).error().message,
            "no sample is left to train on");
}

constexpr RangeFinding kFound = {.lower = 0.002,
                                 .upper = 0.05,
                                 .gamma = 0.9968,
                                 .half_cycle = 250,
                                 .half_cycle_low = 100,
                                 .half_cycle_high = 500};

// The policies of a file that has `lines` in their place, and kFound for a range test.
nlohmann::json with_bounds(const std::string& lines) {
  std::string text = base_experiment();
  text.resize(text.find("    - {function: fix"));
  const auto made = experiment_from_yaml(text + lines, "e.yaml", kFound);
  EXPECT_TRUE(made) << made.error().message;
  return made ? made->normalised["search"]["policies"] : nlohmann::json();
}

TEST(ExperimentRangeTest, RatesBecomeTheBoundThatTheirFunctionTakes) {
  const nlohmann::json policies = with_bounds(R"(
    - {function: fix, k0: {from: range-test}}
    - {function: [tri, sin2], k0: {from: range-test}, k1: {from: range-test}, l: 100}
    - {function: exp, k0: {from: range-test}, gamma: 0.999}
    - {function: poly, k0: {from: range-test}, k1: {from: range-test}, p: 1}
    - segments:
        - {until: 500, function: sin, k0: {from: range-test}, k1: 0.1, l: 50}
        - {function: fix, k0: 0.001}
)");
  EXPECT_EQ(policies[0]["k0"], 0.01) << "the geometric mean";
  EXPECT_EQ(policies[1]["k0"], 0.002);
  EXPECT_EQ(policies[1]["k1"], 0.05);
  EXPECT_EQ(policies[2]["k0"], 0.05) << "a decay begins with the highest rate";
  EXPECT_EQ(policies[3]["k0"], 0.05);
  EXPECT_EQ(policies[3]["k1"], 0.002);
  EXPECT_EQ(policies[4]["segments"][0]["k0"], 0.002);
}

TEST(ExperimentRangeTest, BoundsOfADomainBecomeBoth) {
  const nlohmann::json policies = with_bounds(R"(
    - {function: fix, k0: {log: {from: range-test}}}
    - {function: fix, k0: {uniform: {from: range-test}}}
)");
  EXPECT_EQ(policies[0]["k0"], nlohmann::json::parse(R"({"log": [0.002, 0.05]})"));
  EXPECT_EQ(policies[1]["k0"], nlohmann::json::parse(R"({"uniform": [0.002, 0.05]})"));
}

TEST(ExperimentRangeTest, LengthsAndFactorsComeFromItToo) {
  const nlohmann::json policies = with_bounds(R"(
    - {function: [tri, cos2], k0: 0.01, k1: 0.1, l: {from: range-test}}
    - {function: sinexp, k0: 0.01, k1: 0.1, l: {int: {from: range-test}}, gamma: {from: range-test}}
    - {function: exp, k0: 0.1, gamma: {from: range-test}}
)");
  EXPECT_EQ(policies[0]["l"], 250);
  EXPECT_EQ(policies[1]["l"], nlohmann::json::parse(R"({"int": [100, 500]})"));
  EXPECT_EQ(policies[1]["gamma"], 0.9968);
  EXPECT_EQ(policies[2]["gamma"], 0.9968);
}

// Written down, the numbers are the same experiment.
TEST(ExperimentRangeTest, TheNormalFormHasTheNumbers) {
  const std::string text =
      replaced(base_experiment(), "k1: {log: [0.02, 0.2]}", "k1: {from: range-test}");
  EXPECT_TRUE(takes_range_test(text));
  EXPECT_FALSE(takes_range_test(base_experiment()));
  EXPECT_FALSE(takes_range_test("{"));
  const auto found = experiment_from_yaml(text, "e.yaml", kFound);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->hash, with("k1: {log: [0.02, 0.2]}", "k1: 0.05").hash);
}

TEST(ExperimentRangeTest, AnErrorNamesTheParameterAndItsLine) {
  const auto message = [](const std::string& part, const std::string& instead,
                          const Result<RangeFinding>& range = kAnyRangeFinding) {
    const std::string text = replaced(base_experiment(), part, instead);
    const auto made = experiment_from_yaml(text, "e.yaml", range);
    return made ? "made" : made.error().message;
  };
  EXPECT_EQ(message("k1: {log: [0.02, 0.2]}", "k1: {from: range-test}", fail("there is none")),
            "e.yaml:18: k1: there is none (search.policies[1].k1)");
  const auto nothing = [](int line, const std::string& key, int policy) {
    return fmt::format(
        "e.yaml:{}: {} takes nothing from a range test: k0 and k1 do, l of cyclic functions, gamma "
        "of exp and the *exp functions; as a domain rates (log or uniform) and l (int) "
        "(search.policies[{}].{})",
        line, key, policy, key);
  };
  EXPECT_EQ(message("l: 200", "l: {log: {from: range-test}}"), nothing(19, "l", 1));
  EXPECT_EQ(message("k1: {log: [0.02, 0.2]}", "k1: {int: {from: range-test}}"),
            nothing(18, "k1", 1));
  EXPECT_EQ(message("{function: fix, k0: 0.01}",
                    "{function: step, k0: 0.1, gamma: 0.5, l: {from: range-test}}"),
            nothing(15, "l", 0));
  EXPECT_EQ(message("{function: fix, k0: 0.01}",
                    "{function: step, k0: 0.1, l: 5, gamma: {from: range-test}}"),
            nothing(15, "gamma", 0));
  EXPECT_EQ(message("{function: fix, k0: 0.01}",
                    "{function: exp, k0: 0.1, gamma: {log: {from: range-test}}}"),
            nothing(15, "gamma", 0));
  EXPECT_EQ(
      message("{function: fix, k0: 0.01}", "{function: poly, k0: 0.1, p: {from: range-test}}"),
      nothing(15, "p", 0));
  EXPECT_EQ(message("k1: {log: [0.02, 0.2]}", "k1: {from: afar}"),
            "e.yaml:18: k1 is taken from range-test or not at all, not from \"afar\" "
            "(search.policies[1].k1)");
  EXPECT_EQ(message("{function: fix, k0: 0.01}", "{function: [fix, exp], k0: {from: range-test}}"),
            "e.yaml:15: the functions of [\"fix\",\"exp\"] take different things from a range test "
            "as k0; give them policies of their own (search.policies[0].k0)");
}

}  // namespace
}  // namespace lrtune
