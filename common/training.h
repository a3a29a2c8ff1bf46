// What a run trains (training identity), how long and how it is watched (run plan), and what comes
// out (metric points, outcome). Values only; worker/training carries them out.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/hash.h"
#include "common/policy/policy.h"
#include "common/result.h"
#include "common/training/dataset_spec.h"
#include "common/training/input_spec.h"
#include "common/training/model_spec.h"
#include "common/training/optimizer_spec.h"

namespace lrtune {

// What `train.validation` is if an experiment does not say.
inline constexpr double kDefaultValidation = 0.1;

// What a network computes its layers in. Parameters, optimizer and loss stay in float32.
enum class Precision : std::uint8_t {
  kFloat32,
  kBfloat16,  // PyTorch's autocast: matrix products and convolutions in bfloat16
};

// The `train` part of an experiment with every domain drawn.
struct TrainSpec {
  DatasetSpec dataset;
  double validation = 0;  // share of the training data held out, [0, 1)
  ModelSpec model;
  InputSpec input;
  OptimizerSpec optimizer;
  std::int64_t batch = 0;      // samples
  std::string device = "cpu";  // "cpu" or "cuda"
  int threads = 1;             // per slot; decides bits, so it never follows the number of workers
  Precision precision = Precision::kFloat32;
  // Runs may go on on other numerics. Then a state's name does not say which they were, and equal
  // names do not mean equal bits.
  bool inexact = false;
  bool operator==(const TrainSpec&) const = default;
};

// Version of everything in worker/training that decides a step: initial weights, the order of
// samples, preprocessing, models, optimizers. A change of their numbers raises it, so that no older
// state is taken for a new one; tests/unit/training_revision_test.cc holds the numbers.
inline constexpr int kTrainingRevision = 1;

// What decides the bits of a computation beside the formulas.
struct Numerics {
  std::string backend;          // "libtorch 2.15.0", or "synthetic 1" in tests
  std::string device;           // "cpu" or "cuda"
  std::string instruction_set;  // "AVX512 Intel", "AVX2 AMD"; on CUDA the compute capability, "9.0"
  int threads = 1;
  std::string memory_format = "channels_last";
  int revision = kTrainingRevision;
  bool operator==(const Numerics&) const = default;
};

// Why a worker that computes with `own` cannot train what was made for `wanted`, as a sentence
// about "this worker"; nothing if it can: the same numerics, with as many threads or more. If
// `inexact`, another version of the back end, instruction set, memory format or number of threads
// will do, but not another back end, kind of device or revision of the training code.
std::optional<std::string> numerics_mismatch(const Numerics& own, const Numerics& wanted,
                                             bool inexact);

// For people: "libtorch 2.15.0 on cpu (AVX512 Intel) with 1 thread per slot".
std::string words(const Numerics& numerics);

// Facts of what is trained on, that only a machine which has the files can tell.
struct DataFacts {
  Digest fingerprint;              // SHA-256 over its (uncompressed) contents
  std::int64_t train_samples = 0;  // after the validation part is held out: an epoch has this many
  std::int64_t validation_samples = 0;
  std::int64_t test_samples = 0;
  int classes = 0;
  std::optional<Digest> network = {};  // SHA-256 of the file of a network that a user brings
  bool operator==(const DataFacts&) const = default;
};

// Everything that decides the steps of a run.
struct TrainingIdentity {
  TrainSpec train;
  DataFacts data;
  Numerics numerics;
  bool operator==(const TrainingIdentity&) const = default;
  // SHA-256 of the canonical JSON without the paths of data set and network; of an inexact one also
  // without what numerics_mismatch lets differ.
  Digest hash() const;
};

enum class Part : std::uint8_t { kTrain, kValidation, kTest };

enum class Measure : std::uint8_t { kTop1, kLoss };

struct Target {
  Measure measure = Measure::kTop1;  // of the evaluated part; top1 at least, loss at most `value`
  double value = 0;
  bool operator==(const Target&) const = default;
};

// What changes no step.
struct RunPlan {
  std::int64_t iterations = 0;
  std::int64_t evaluate_every = 0;  // iterations; also at 0 and at the end
  Part evaluate_on = Part::kValidation;
  std::int64_t train_subset =
      0;  // samples of the training part that train metrics come from; at most its size
  std::optional<Target> target;
  bool stop_at_target = false;  // otherwise reaching it is only recorded
  // Of training and evaluating, all attempts that count together; then the run ends well where it
  // is. How far it comes depends on the machine.
  std::optional<double> max_seconds;
  // Iterations between values of M-opt (docs/METRICS.md), at least 3; 0: none is measured.
  std::int64_t m_opt_every = 0;
  bool operator==(const RunPlan&) const = default;
};

// Version of the definitions of the metrics below; metrics are stored under (state, part, subset,
// version).
inline constexpr int kMetricVersion = 1;

// The highest softmax value of the samples that were classified rightly (paper: AC, CV, CDAC). With
// no such sample: all 0 but the last.
struct Confidence {
  double mean = 0;       // AC, above 1 / classes, up to 1
  double deviation = 0;  // CV, population standard deviation over these samples
  double class_deviation =
      0;                     // CDAC, the same over the means of the classes that have such samples
  int classes_left_out = 0;  // of the data's classes: those that have none
  bool operator==(const Confidence&) const = default;
};

// Means over the samples of one part.
struct PartMetrics {
  double loss = 0;  // cross entropy, nats
  double top1 = 0;  // share of samples, 0..1
  double top5 = 0;
  std::optional<Confidence> confidence;  // nothing: not measured
  bool operator==(const PartMetrics&) const = default;
};

// M-opt, formula (7) of the paper, from three iterates.
struct MoptValue {
  std::int64_t iteration = 0;   // t+1: whose rate is compared
  double learning_rate = 0;     // that it applied
  std::optional<double> m_opt;  // nothing: the denominator was 0, or the value is not finite
  bool operator==(const MoptValue&) const = default;
};

// rate * moved / turned: `rate` led from theta_{t+1} to theta_{t+2}, `moved` is
// |theta_{t+1} - theta_t|_1, `turned` |2 theta_{t+1} - theta_t - theta_{t+2}|_1. Nothing if
// `turned` is 0 or the value is not finite.
std::optional<double> m_opt(double rate, double moved, double turned);

// Values stand this far apart at least: no iterate belongs to two.
inline constexpr std::int64_t kLeastMoptInterval = 3;

// Most values that a point may carry: it fits into a frame of the worker protocol.
inline constexpr std::int64_t kMostMoptValues = 500;

// The evaluation of one state.
struct MetricPoint {
  std::int64_t iteration = 0;
  Digest state;
  double learning_rate = 0;  // that the next iteration applies
  PartMetrics train;         // on the fixed train subset
  PartMetrics evaluated;     // on the part that the run plan evaluates
  double train_seconds = 0;  // spent in training steps so far
  double evaluate_seconds = 0;
  std::vector<MoptValue> m_opt = {};  // since the point before, by iteration
  bool operator==(const MetricPoint&) const = default;
};

enum class OutcomeKind : std::uint8_t {
  kCompleted,      // all iterations
  kTargetReached,  // stopped early because the plan says so
  kDiverged,       // a loss was NaN or infinite
  kFailed,         // the trainer cannot do it; `message` says why
  kStopped,        // asked to stop; not finished
  kFailedHere,     // no fault of the job is known: it may succeed elsewhere, or alone
  kTimeLimit,      // ended early by RunPlan::max_seconds
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::kCompleted;
  std::int64_t iteration = 0;  // where it ended; diverged: the iteration whose loss was not finite
  Digest state;                // the chain over the rates really applied
  std::string message;         // for people; empty if completed
  // Of a reactive policy: what its controller made of it, an ordinary policy with the rates that
  // were applied (common/policy/run_rates.h).
  std::optional<Policy> realised = {};
  bool operator==(const Outcome&) const = default;
};

// What a controller looks at of a point.
double value_of(PlateauMetric metric, const MetricPoint& point);

// The digest of a reactive policy and of how its metric is measured: a part of the names of its
// states (common/state_name.h).
Digest controller_digest(const Policy& policy, const RunPlan& plan);

// Text forms. from_json checks types and ranges; see docs/EXPERIMENTS.md for the keys.
std::string_view name_of(Part part);  // "train", "validation", "test"
// The metrics meet the target: top1 at least, loss at most its value. A NaN does not.
bool reaches(const Target& target, const PartMetrics& metrics);

std::string_view name_of(Measure measure);   // "top1", "loss"
std::string_view name_of(OutcomeKind kind);  // "completed", "target_reached" ...
Result<Part> part_from_name(std::string_view name);
Result<OutcomeKind> outcome_kind_from_name(std::string_view name);

nlohmann::json to_json(const TrainSpec& spec);
nlohmann::json to_json(const TrainingIdentity& identity);
nlohmann::json to_json(const Target& target);  // {"top1": 0.991} or {"loss": 0.1}
nlohmann::json to_json(const RunPlan& plan);
nlohmann::json to_json(const DataFacts& facts);
nlohmann::json to_json(const Numerics& numerics);
Result<TrainSpec> train_spec_from_json(const nlohmann::json& json, const std::string& path = {});
Result<TrainingIdentity> training_identity_from_json(const nlohmann::json& json,
                                                     const std::string& path = {});
Result<Target> target_from_json(const nlohmann::json& json, const std::string& path = {});
Result<RunPlan> run_plan_from_json(const nlohmann::json& json, const std::string& path = {});
Result<DataFacts> data_facts_from_json(const nlohmann::json& json, const std::string& path = {});
Result<Numerics> numerics_from_json(const nlohmann::json& json, const std::string& path = {});

}  // namespace lrtune
