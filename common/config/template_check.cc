// Tries templates with the values that their domains can take, so that a bad one is found when the
// file is read.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include "common/config/campaign_size.h"
#include "common/config/experiment_reader.h"
#include "common/config/template.h"
#include "common/json_reader.h"
#include "common/policy/policy_json.h"

namespace lrtune {
namespace {

// How many values have been read, of all templates of an experiment.
class Effort {
 public:
  // An error if it is too much.
  std::optional<Error> spend(const nlohmann::json& tried) {
    spent_ += values_in(tried);
    if (spent_ <= kMostTriedValues) return std::nullopt;
    return Error{
        fmt::format("the domains of search.policies and train have too many combinations "
                    "to try them in pairs: more than {} values; use fewer domains, or "
                    "shorter lists",
                    kMostTriedValues)};
  }

 private:
  static std::int64_t values_in(const nlohmann::json& json) {
    if (!json.is_structured()) return 1;
    return std::accumulate(
        json.begin(), json.end(), std::int64_t{1},
        [](std::int64_t sum, const nlohmann::json& inner) { return sum + values_in(inner); });
  }

  std::int64_t spent_ = 0;
};

using Read = std::function<std::optional<Error>(const nlohmann::json&)>;

// Longer lists are tried in pairs with other holes by their first, lowest and highest value alone.
constexpr std::size_t kMostInPairs = 16;

// An interval's ends, and a number inside that is not whole: the allowed values of every parameter
// are an interval, of numbers or of whole numbers.
std::vector<nlohmann::json> values_of(const Domain& domain) {
  if (domain.kind == Domain::Kind::kChoice) return domain.choices;
  std::vector<nlohmann::json> values = {canonical(domain.low), canonical(domain.high)};
  if (domain.kind != Domain::Kind::kInt) {
    double inner = domain.low + 0.381966 * (domain.high - domain.low);
    if (std::floor(inner) == inner) inner = domain.low + 0.4142135 * (domain.high - domain.low);
    values.emplace_back(inner);
  }
  return values;
}

std::vector<nlohmann::json> values_in_pairs(const Domain& domain) {
  std::vector<nlohmann::json> values = values_of(domain);
  if (values.size() <= kMostInPairs) return values;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {values.front(), *low, *high};
}

class Check {
 public:
  Check(const Template& subject, Read read) : subject_(subject), read_(std::move(read)) {
    for (const Template::Hole& hole : subject.holes) {
      values_.push_back(values_of(hole.domain).front());
    }
  }

  std::optional<Error> run() {
    if (auto error = read_(filled(subject_, values_))) return error;
    for (std::size_t i = 0; i < subject_.holes.size(); ++i) {
      if (auto error = try_alone(i)) return error;
    }
    for (std::size_t i = 0; i < subject_.holes.size(); ++i) {
      for (std::size_t j = i + 1; j < subject_.holes.size(); ++j) {
        if (auto error = try_pair(i, j)) return error;
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<Error> try_alone(std::size_t i) {
    const Domain& domain = subject_.holes[i].domain;
    const std::vector<nlohmann::json> values = values_of(domain);
    for (std::size_t v = 0; v < values.size(); ++v) {
      auto error = try_value(i, values[v]);
      if (!error) continue;
      const bool inside = domain.kind != Domain::Kind::kChoice && v == 2;
      return inside ? wants_whole_numbers(i) : error;
    }
    return std::nullopt;
  }

  // What holds for two holes: keys that a function takes, boundaries in order.
  std::optional<Error> try_pair(std::size_t i, std::size_t j) {
    const nlohmann::json first = values_[i];
    for (const nlohmann::json& value : values_in_pairs(subject_.holes[i].domain)) {
      values_[i] = value;
      for (const nlohmann::json& other : values_in_pairs(subject_.holes[j].domain)) {
        if (auto error = try_value(j, other)) return error;
      }
    }
    values_[i] = first;
    return std::nullopt;
  }

  std::optional<Error> try_value(std::size_t i, const nlohmann::json& value) {
    std::swap(values_[i], shelf_);
    values_[i] = value;
    auto error = read_(filled(subject_, values_));
    std::swap(values_[i], shelf_);
    return error;
  }

  Error wants_whole_numbers(std::size_t i) const {
    const Template::Hole& hole = subject_.holes[i];
    return {fmt::format("{} takes whole numbers: write {{int: [{:.0f}, {:.0f}]}}, not {}",
                        hole.place.back(), std::ceil(hole.domain.low), std::floor(hole.domain.high),
                        to_json(hole.domain).dump()),
            hole.place.to_string()};
  }

  const Template& subject_;
  Read read_;
  std::vector<nlohmann::json> values_;
  nlohmann::json shelf_;
};

bool has_epochs(const nlohmann::json& json) {
  if (json.is_string()) return epochs_in(json.get_ref<const std::string&>()).has_value();
  return json.is_structured() && std::any_of(json.begin(), json.end(), has_epochs);
}

// Iterations an epoch that a policy is tried with. The data are not known yet, so lengths in epochs
// beside others in iterations are in order if they are so for one of these.
std::vector<double> iterations_an_epoch(const nlohmann::json& policy,
                                        const Experiment& experiment) {
  std::vector<double> counts = {1000};
  const bool plain = experiment.length.iterations > 0 && experiment.evaluate_every.iterations > 0;
  if (plain && !has_epochs(policy)) return counts;
  for (double count = 1; count < 0x1p30; count *= 2) counts.push_back(count);
  return counts;
}

PolicyContext context_with(const Experiment& experiment, double iterations_an_epoch) {
  const RunLength& run = experiment.length;
  const RunLength& every = experiment.evaluate_every;
  PolicyContext context;
  context.batch = 1;
  context.samples_per_epoch = iterations_an_epoch;
  context.run_iterations = run.iterations > 0
                               ? run.iterations
                               : iterations_of_epochs(run.epochs, iterations_an_epoch, 1);
  context.evaluate_every = every.iterations > 0
                               ? every.iterations
                               : iterations_of_epochs(every.epochs, iterations_an_epoch, 1);
  return context;
}

std::optional<Error> try_policy(const nlohmann::json& policy, const Experiment& experiment,
                                Effort& effort) {
  std::optional<Error> first;
  for (const double count : iterations_an_epoch(policy, experiment)) {
    if (auto too_much = effort.spend(policy)) return too_much;
    const auto result = policy_from_json(policy, context_with(experiment, count));
    if (result) return std::nullopt;
    if (!first) first = result.error();
  }
  return first;
}

std::optional<Error> try_train(const nlohmann::json& train, Effort& effort) {
  if (auto too_much = effort.spend(train)) return too_much;
  const auto result = train_spec_from_json(train);
  if (result) return std::nullopt;
  return result.error();
}

tl::unexpected<Error> below(Error error, const std::string& prefix) {
  error.path = prefix + error.path;
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<void> check_templates(const Experiment& experiment) {
  Effort effort;
  const Read read_train = [&](const nlohmann::json& json) { return try_train(json, effort); };
  if (auto error = Check(experiment.train, read_train).run()) return below(*error, "/train");
  for (std::size_t i = 0; i < experiment.policies.size(); ++i) {
    const Read read = [&](const nlohmann::json& json) {
      return try_policy(json, experiment, effort);
    };
    if (auto error = Check(experiment.policies[i], read).run()) {
      return below(*error, child_path("/search/policies", i));
    }
  }
  return {};
}

}  // namespace lrtune
