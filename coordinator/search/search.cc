#include "coordinator/search/search.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "common/config/template.h"
#include "common/random.h"
#include "coordinator/search/domain_value.h"
#include "coordinator/search/sobol.h"

namespace lrtune {
namespace {

std::int64_t choices_of(const Template::Hole& hole) {
  return static_cast<std::int64_t>(hole.domain.choices.size());
}

// Takes the value of the last hole first: it counts fastest.
std::vector<nlohmann::json> take_choices(const Template& part, std::int64_t& index) {
  std::vector<nlohmann::json> values(part.holes.size());
  for (std::size_t i = part.holes.size(); i-- > 0;) {
    const std::int64_t count = choices_of(part.holes[i]);
    values[i] = part.holes[i].domain.choices[static_cast<std::size_t>(index % count)];
    index /= count;
  }
  return values;
}

// The policy that candidate `index` is made of, and the number among its candidates; null past the
// last one.
const Template* grid_policy(const Experiment& experiment, std::int64_t& index) {
  for (const Template& policy : experiment.policies) {
    const std::int64_t count = combinations(policy, experiment.train).value_or(0);
    if (index < count) return &policy;
    index -= count;
  }
  return nullptr;
}

Candidate grid_candidate(const Experiment& experiment, std::int64_t index) {
  const Template* policy = grid_policy(experiment, index);
  assert(policy != nullptr && "index is below candidate_count");
  const auto train_values = take_choices(experiment.train, index);
  const auto policy_values = take_choices(*policy, index);
  return {filled(experiment.train, train_values), filled(*policy, policy_values)};
}

// One independent draw of a hole. Taking a remainder favours small values by n / 2^64 for n values,
// which is nothing; it is not value_at()'s way, and stays as it is, since stored campaigns are
// drawn again.
nlohmann::json draw(const Domain& domain, std::string_view purpose, std::uint64_t seed,
                    std::uint64_t index, std::uint64_t hole) {
  const std::uint64_t bits = random_bits(purpose, seed, index, hole);
  const double unit = static_cast<double>(bits >> 11) * 0x1p-53;
  switch (domain.kind) {
    case Domain::Kind::kChoice:
      return domain.choices[bits % domain.choices.size()];
    case Domain::Kind::kInt: {
      const auto low = static_cast<std::int64_t>(domain.low);
      const auto count =
          static_cast<std::uint64_t>(static_cast<std::int64_t>(domain.high) - low) + 1;
      return low + static_cast<std::int64_t>(bits % count);
    }
    case Domain::Kind::kUniform:
    case Domain::Kind::kLog:
      return value_at(domain, unit);
  }
  return nullptr;
}

nlohmann::json drawn(const Template& part, std::string_view purpose, std::uint64_t seed,
                     std::uint64_t index) {
  std::vector<nlohmann::json> values;
  for (std::size_t hole = 0; hole < part.holes.size(); ++hole) {
    values.push_back(draw(part.holes[hole].domain, purpose, seed, index, hole));
  }
  return filled(part, values);
}

const Template& random_policy(const Experiment& experiment, std::uint64_t index) {
  const std::size_t which =
      random_bits("search policy", experiment.seed, index) % experiment.policies.size();
  return experiment.policies[which];
}

nlohmann::json drawn_policy(const Experiment& experiment, std::uint64_t index) {
  return drawn(random_policy(experiment, index), "search hole", experiment.seed, index);
}

Candidate random_candidate(const Experiment& experiment, std::int64_t index) {
  const auto counter = static_cast<std::uint64_t>(index);
  return {drawn(experiment.train, "search train", experiment.seed, counter),
          drawn_policy(experiment, counter)};
}

nlohmann::json filled_at(const Template& part, const double* units) {
  std::vector<nlohmann::json> values;
  for (std::size_t hole = 0; hole < part.holes.size(); ++hole) {
    values.push_back(value_at(part.holes[hole].domain, units[hole]));
  }
  return filled(part, values);
}

Candidate sobol_candidate(const Experiment& experiment, std::int64_t index) {
  const auto units = sobol_units(experiment, static_cast<std::uint64_t>(index));
  const double* const train_units = units.data() + 1;
  return {filled_at(experiment.train, train_units),
          filled_at(experiment.policies[sobol_policy(experiment, units)],
                    train_units + experiment.train.holes.size())};
}

SearchMethod drawn_by(const Experiment& experiment) {
  if (has_rungs(experiment.method)) return experiment.drawn_by;
  return experiment.method == SearchMethod::kTpe ? SearchMethod::kRandom : experiment.method;
}

// The policy whose holes are filled for candidate `index`; null past the last one.
const Template* policy_of(const Experiment& experiment, std::int64_t index) {
  const auto counter = static_cast<std::uint64_t>(index);
  switch (drawn_by(experiment)) {
    case SearchMethod::kRandom:
      return &random_policy(experiment, counter);
    case SearchMethod::kSobol:
      return &experiment.policies[sobol_policy(experiment, sobol_units(experiment, counter))];
    case SearchMethod::kList:
    case SearchMethod::kGrid:
    case SearchMethod::kHalving:
    case SearchMethod::kAsha:
    case SearchMethod::kTpe:
    case SearchMethod::kTree:
      break;
  }
  return grid_policy(experiment, index);
}

}  // namespace

// With kMostSegments segments of 9 keys the dimensions are fewer than Boost.Random has.
std::vector<double> sobol_units(const Experiment& experiment, std::uint64_t index) {
  std::size_t holes = 0;
  for (const Template& policy : experiment.policies) holes = std::max(holes, policy.holes.size());
  std::vector<double> units;
  for (const std::uint64_t bits :
       sobol_point(1 + experiment.train.holes.size() + holes, index, experiment.seed)) {
    units.push_back(static_cast<double>(bits >> 11) * 0x1p-53);
  }
  return units;
}

std::size_t sobol_policy(const Experiment& experiment, const std::vector<double>& units) {
  const auto count = experiment.policies.size();
  const auto which = static_cast<std::size_t>(units[0] * static_cast<double>(count));
  return std::min(which, count - 1);
}

Candidate candidate(const Experiment& experiment, std::int64_t index) {
  assert(index >= 0);
  const SearchMethod method = drawn_by(experiment);
  if (method == SearchMethod::kRandom) return random_candidate(experiment, index);
  if (method == SearchMethod::kSobol) return sobol_candidate(experiment, index);
  return grid_candidate(experiment, index);
}

nlohmann::json candidate_policy(const Experiment& experiment, std::int64_t index) {
  assert(index >= 0);
  if (drawn_by(experiment) == SearchMethod::kRandom)
    return drawn_policy(experiment, static_cast<std::uint64_t>(index));
  return candidate(experiment, index).policy;
}

std::string candidate_name(const Experiment& experiment, std::int64_t index) {
  if (experiment.method == SearchMethod::kTree) return {};
  if (experiment.method == SearchMethod::kTpe && experiment.policies.size() > 1) return {};
  const Template* policy = policy_of(experiment, index);
  if (policy == nullptr) return {};
  const auto name = policy->tree.find("name");
  return name != policy->tree.end() && name->is_string() ? name->get<std::string>() : std::string();
}

}  // namespace lrtune
