#include "coordinator/search/search_point.h"

#include "common/config/template.h"
#include "coordinator/search/domain_value.h"

namespace lrtune {
namespace {

nlohmann::json filled_at(const Template& part, const std::vector<double>& coordinates) {
  std::vector<nlohmann::json> values;
  for (std::size_t i = 0; i < part.holes.size(); ++i) {
    values.push_back(value_of(part.holes[i].domain, coordinates.at(i)));
  }
  return filled(part, values);
}

}  // namespace

Candidate candidate_at(const Experiment& experiment, const SearchPoint& point) {
  return {filled_at(experiment.train, point.train),
          filled_at(experiment.policies.at(point.policy), point.holes)};
}

}  // namespace lrtune
