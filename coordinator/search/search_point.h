// Candidates as numbers, for searchers that reason about them: a point of an experiment's search
// space. Pure.
#pragma once

#include <compare>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/config/experiment.h"
#include "coordinator/search/search.h"

namespace lrtune {

// The space is conditional: which holes a point has depends on its policy. A coordinate is the
// place in the list of a choice, else the value itself.
struct SearchPoint {
  std::size_t policy = 0;     // place in Experiment::policies
  std::vector<double> train;  // of the holes of Experiment::train
  std::vector<double> holes;  // of the holes of that policy
  auto operator<=>(const SearchPoint&) const = default;
};

Candidate candidate_at(const Experiment& experiment, const SearchPoint& point);

}  // namespace lrtune
