#include "common/policy/run_rates.h"

#include <algorithm>

namespace lrtune {

Policy realised(const Plateau& plateau, const PlateauRun& run, std::int64_t iterations) {
  Policy policy;
  std::size_t index = plateau.start;
  std::int64_t begin = 0;
  for (const PlateauChange& change : run.changes) {
    if (change.iteration >= iterations) break;
    policy.segments.push_back({plateau.functions[index], change.iteration, begin});
    index = change.index;
    begin = change.iteration;
  }
  policy.segments.push_back({plateau.functions[index], kNoEnd, begin});
  return policy;
}

bool may_realise(const Plateau& plateau, const Policy& policy) {
  if (policy.reactive() || policy.segments.empty()) return false;
  std::int64_t begin = 0;
  for (const Segment& segment : policy.segments) {
    const auto& all = plateau.functions;
    if (segment.from_t != begin || begin % plateau.every != 0) return false;
    if (std::find(all.begin(), all.end(), segment.function) == all.end()) return false;
    begin = segment.until;
  }
  return begin == kNoEnd && policy.segments.front().function == plateau.functions[plateau.start];
}

RunRates::RunRates(const Policy& policy) : policy_(policy) {
  if (policy.plateau) run_.state = initial_state_of(*policy.plateau);
}

double RunRates::at(std::int64_t t) const {
  if (!policy_.plateau) return learning_rate(policy_, t);
  return evaluate(policy_.plateau->functions[run_.state.index], t);
}

bool RunRates::observes(std::int64_t iteration) const {
  return policy_.plateau && iteration > 0 && iteration % policy_.plateau->every == 0;
}

void RunRates::observe(std::int64_t iteration, double value) {
  const std::size_t before = run_.state.index;
  lrtune::observe(*policy_.plateau, run_.state, iteration, value);
  if (run_.state.index != before) run_.changes.push_back({iteration, run_.state.index});
}

Policy RunRates::applied(std::int64_t iterations) const {
  return policy_.plateau ? realised(*policy_.plateau, run_, iterations) : policy_;
}

}  // namespace lrtune
