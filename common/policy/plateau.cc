#include "common/policy/plateau.h"

#include <algorithm>

namespace lrtune {
namespace {

// t/T < 0.8 in whole numbers, which are at most 2^53.
bool early(const Plateau& plateau, std::int64_t t) { return 5 * t < 4 * plateau.length; }

double improvement(const Plateau& plateau, double before, double after) {
  return plateau.metric == PlateauMetric::kTop1 ? after - before : before - after;
}

}  // namespace

PlateauState initial_state_of(const Plateau& plateau) {
  return {.history = {}, .index = plateau.start, .counter = 0};
}

bool on_plateau(const Plateau& plateau, const PlateauState& state) {
  const auto& history = state.history;
  const auto window = static_cast<std::size_t>(plateau.window);
  if (history.size() <= window) return false;
  for (std::size_t i = history.size() - window + 1; i < history.size(); ++i) {
    if (!(improvement(plateau, history[i - 1], history[i]) < plateau.threshold)) return false;
  }
  return true;
}

void observe(const Plateau& plateau, PlateauState& state, std::int64_t iteration, double value) {
  state.history.push_back(value);
  if (state.history.size() > static_cast<std::size_t>(plateau.window) + 1)
    state.history.erase(state.history.begin());
  if (on_plateau(plateau, state) && state.counter == 0) {
    state.counter = plateau.cooldown;
    if (!early(plateau, iteration)) {
      state.index = std::min(state.index + 1, plateau.functions.size() - 1);
    } else if (state.index > 0) {
      --state.index;
    }
  } else if (state.counter > 0) {
    --state.counter;
  }
}

}  // namespace lrtune
