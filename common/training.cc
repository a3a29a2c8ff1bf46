#include "common/training.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>

#include "common/json_reader.h"
#include "common/policy/policy_json.h"

namespace lrtune {
namespace {

constexpr std::array<std::string_view, 3> kPartNames = {"train", "validation", "test"};
constexpr std::array<std::string_view, 2> kMeasureNames = {"top1", "loss"};
constexpr std::array<std::string_view, 7> kOutcomeNames = {
    "completed", "target_reached", "diverged", "failed", "stopped", "failed_here", "time_limit"};

template <typename Enum>
Result<Enum> value_named(std::string_view name, std::span<const std::string_view> names,
                         std::string_view what) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  const std::vector<std::string> known(names.begin(), names.end());
  const auto near = nearest_name(name, known);
  return fail(fmt::format("{} must be one of {}, not '{}'{}", what, fmt::join(known, ", "), name,
                          near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

// "libtorch" of "libtorch 2.15.0".
std::string family_of(const std::string& backend) { return backend.substr(0, backend.find(' ')); }

std::string differ(std::string_view what, const std::string& has, const std::string& wants) {
  return fmt::format("this worker's {} is {}, the job needs {}", what, has, wants);
}

// What no experiment can do without.
std::optional<std::string> kind_mismatch(const Numerics& own, const Numerics& wanted) {
  if (family_of(own.backend) != family_of(wanted.backend))
    return differ("back end", own.backend, wanted.backend);
  if (own.device != wanted.device) return differ("device", own.device, wanted.device);
  if (own.revision != wanted.revision) {
    return fmt::format("this worker's training code is of revision {}, the job needs {}",
                       own.revision, wanted.revision);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> numerics_mismatch(const Numerics& own, const Numerics& wanted,
                                             bool inexact) {
  if (auto mismatch = kind_mismatch(own, wanted); mismatch || inexact) return mismatch;
  if (own.backend != wanted.backend) return differ("back end", own.backend, wanted.backend);
  if (own.instruction_set != wanted.instruction_set)
    return differ("instruction set", own.instruction_set, wanted.instruction_set);
  if (own.memory_format != wanted.memory_format)
    return differ("memory format", own.memory_format, wanted.memory_format);
  if (own.threads < wanted.threads) {
    return fmt::format("a slot of this worker has {} threads, the job needs {}", own.threads,
                       wanted.threads);
  }
  return std::nullopt;
}

std::string words(const Numerics& numerics) {
  return fmt::format("{} on {} ({}) with {} thread{} per slot", numerics.backend, numerics.device,
                     numerics.instruction_set, numerics.threads, numerics.threads == 1 ? "" : "s");
}

std::string_view name_of(Part part) { return kPartNames[static_cast<std::size_t>(part)]; }
bool reaches(const Target& target, const PartMetrics& metrics) {
  return target.measure == Measure::kTop1 ? metrics.top1 >= target.value
                                          : metrics.loss <= target.value;
}

std::string_view name_of(Measure measure) {
  return kMeasureNames[static_cast<std::size_t>(measure)];
}
std::string_view name_of(OutcomeKind kind) { return kOutcomeNames[static_cast<std::size_t>(kind)]; }

Result<Part> part_from_name(std::string_view name) {
  return value_named<Part>(name, kPartNames, "the part of the data");
}
Result<OutcomeKind> outcome_kind_from_name(std::string_view name) {
  return value_named<OutcomeKind>(name, kOutcomeNames, "the outcome");
}

Digest TrainingIdentity::hash() const {
  TrainingIdentity elsewhere = *this;
  elsewhere.train.dataset.path.clear();  // the data are named by their fingerprint
  elsewhere.train.model.file.clear();    // the network by its digest
  if (train.inexact) {
    elsewhere.train.threads = 0;
    elsewhere.numerics = {.backend = family_of(numerics.backend),
                          .device = numerics.device,
                          .threads = 0,
                          .memory_format = {},
                          .revision = numerics.revision};
  }
  return sha256(to_json(elsewhere).dump());
}

std::optional<double> m_opt(double rate, double moved, double turned) {
  if (!(turned > 0)) return std::nullopt;
  const double value = rate * moved / turned;
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

double value_of(PlateauMetric metric, const MetricPoint& point) {
  if (metric == PlateauMetric::kTrainLoss) return point.train.loss;
  return metric == PlateauMetric::kLoss ? point.evaluated.loss : point.evaluated.top1;
}

Digest controller_digest(const Policy& policy, const RunPlan& plan) {
  const nlohmann::json document = {{"policy", to_json(policy)},
                                   {"evaluate_on", std::string(name_of(plan.evaluate_on))},
                                   {"train_subset", plan.train_subset},
                                   {"metrics", kMetricVersion}};
  return sha256(document.dump());
}

}  // namespace lrtune
