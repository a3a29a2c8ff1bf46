// What is kept of a run so that it can go on from there, bit for bit, and its file form.
//
// Nothing random is in it: the order of samples, augmentation and dropout are functions of (seed,
// iteration), so the iteration is the data cursor and the state of every generator. The seed and
// the identity, numerics and versions included, are in the state's name.
//
// A file is
//   "lrtune checkpoint 1\n" | header's length, 8 bytes little end first | header, JSON |
//   the tensors' values one after the other | SHA-256 of all before it, 32 bytes
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/hash.h"
#include "common/policy/run_rates.h"
#include "common/result.h"
#include "common/training.h"

namespace lrtune {

struct StoredTensor {
  std::string name;                 // "conv1.weight"
  std::string type;                 // "float32", "float64", "int64"
  std::vector<std::int64_t> shape;  // values in the order of the shape, the last dimension fastest
  std::string bytes;                // little end first
  bool operator==(const StoredTensor&) const = default;
};

// How the metric points of a run were measured: points of one kind do not stand for another.
struct MeasuredHow {
  Part part = Part::kValidation;  // RunPlan::evaluate_on
  std::int64_t train_subset = 0;
  int version = kMetricVersion;
  std::int64_t m_opt_every = 0;  // RunPlan::m_opt_every
  bool operator==(const MeasuredHow&) const = default;
};

// Steps from iteration `from` on were computed with these numerics.
struct ComputedPart {
  std::int64_t from = 0;
  std::string with;  // words(Numerics)
  bool operator==(const ComputedPart&) const = default;
};

// What a run with a reactive policy keeps beside the rest.
struct KeptController {
  Digest applied;  // the chain over the rates that were really applied
  PlateauRun run;
  bool operator==(const KeptController&) const = default;
};

struct Checkpoint {
  Digest state;  // name of the state (common/state_name.h) after `iteration` steps
  std::int64_t iteration = 0;
  MeasuredHow measured;
  std::vector<MetricPoint> history;  // by iteration, none after `iteration`
  double train_seconds = 0;          // spent in training steps so far
  double evaluate_seconds = 0;
  bool ends_run = false;  // a run's plan ends here: it is kept for runs that go on from its end
  std::vector<ComputedPart> computed;  // ascending; several only of an inexact run; none: not known
  std::vector<StoredTensor> tensors;   // parameters, buffers, the optimizer's
  std::optional<KeptController> controller = {};
  std::vector<MoptValue> m_opt = {};  // since the last point of the history
  bool operator==(const Checkpoint&) const = default;
};

std::string encode(const Checkpoint& checkpoint);

// Errors: not a checkpoint, of another version, cut off, or not what its SHA-256 says.
Result<Checkpoint> decode_checkpoint(std::string_view file);

}  // namespace lrtune
