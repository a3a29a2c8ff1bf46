// The starting content of a policy store: what the paper's tables say of policies. Published, not
// measured (experiments/published/policies.yaml).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/policy.h"
#include "common/result.h"

namespace lrtune {

// Of all that lrtune trains itself.
constexpr std::string_view kOwnTask = "image-classification";
constexpr std::string_view kOwnFramework = "libtorch";

// What policies are kept under (paper, section 4).
struct TrainingKeys {
  std::string task;  // "image-classification"
  std::string dataset;
  std::string model;
  std::string framework;  // that the figures come from
  std::string optimizer;
  std::int64_t batch = 0;
  bool operator==(const TrainingKeys&) const = default;
};

struct PublishedPolicy {
  std::string source;  // "Table 6"
  TrainingKeys keys;
  std::int64_t iterations = 0;  // of the run
  std::string name;
  Policy policy;
  std::optional<double> top1;       // highest during the run, 0 to 1
  std::optional<double> deviation;  // over five runs
  std::optional<double> top5;
  std::optional<std::int64_t> at;  // iteration of top1
  std::optional<double> target;    // a top-1, first met at target_iteration
  std::optional<std::int64_t> target_iteration;
  std::string default_of;  // framework; may be empty
  std::string note;        // may be empty
};

// Rates within which fixed ones train well.
struct LrRange {
  std::string dataset;
  std::string model;
  std::string optimizer;
  std::int64_t batch = 0;
  double low = 0;
  double high = 0;
  std::string found;  // how
};

struct PublishedContent {
  std::vector<PublishedPolicy> policies;
  std::vector<LrRange> ranges;
};

// From YAML text; `file` names it in errors.
Result<PublishedContent> published_from_yaml(const std::string& text, const std::string& file);

// What this program has inside.
Result<PublishedContent> published_content();

// Those of a training; an empty name, and a batch of 0, is any. Ranges have no task and framework.
PublishedContent for_training(const PublishedContent& all, const TrainingKeys& wanted);

}  // namespace lrtune
