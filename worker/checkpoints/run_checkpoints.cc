#include "worker/checkpoints/run_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/policy/lr_evaluator.h"
#include "common/state_name.h"

namespace lrtune {
namespace {

constexpr std::size_t kKept = 2;

}  // namespace

bool evaluates(const RunPlan& plan, std::int64_t iteration) {
  return iteration == plan.iterations || iteration % plan.evaluate_every == 0;
}

RunCheckpoints::RunCheckpoints(const CheckpointOptions& options, RunNames names,
                               const Policy& policy, const RunPlan& plan)
    : options_(options),
      names_(std::move(names)),
      policy_(policy),
      plan_(plan),
      controller_(policy.reactive() ? controller_digest(policy, plan) : Digest{}),
      computed_{{.from = 0, .with = names_.computes_with}} {}

RunCheckpoints::~RunCheckpoints() {
  if (options_.remote == nullptr) return;
  for (const Kept& kept : kept_) options_.remote->release(kept.state);
}

Digest RunCheckpoints::plan_from(const Digest& start) const {
  return reactive_plan(start, controller_);
}

Digest RunCheckpoints::kept_name(const Digest& applied, std::int64_t iteration) const {
  if (!policy_.reactive()) return applied;
  return reactive_state(plan_from(names_.start), iteration);
}

// What there is of the run, by iteration.
std::vector<RunCheckpoints::Candidate> RunCheckpoints::candidates(
    const std::atomic<bool>& stop) const {
  const auto here = options_.folder->states();
  std::unordered_set<Digest> remote;
  if (options_.remote != nullptr) {
    if (auto states = options_.remote->states(stop); states) {
      remote = *std::move(states);
    } else {
      options_.log("only checkpoints of this machine are used: " + states.error().message);
    }
  }
  std::vector<Candidate> found;
  if (here.empty() && remote.empty()) return found;
  const auto look_along = [&](Digest state, bool own) {
    const Digest plan = policy_.reactive() ? plan_from(state) : Digest{};
    for (std::int64_t t = 0; t < plan_.iterations; ++t) {
      state = policy_.reactive() ? reactive_state(plan, t + 1)
                                 : next_state(state, learning_rate(policy_, t));
      const bool is_here = here.contains(state);
      if (is_here || remote.contains(state)) found.push_back({t + 1, state, is_here, own});
    }
  };
  for (const Digest& other : names_.others) look_along(other, false);
  look_along(names_.start, true);
  std::stable_sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.iteration < b.iteration;
  });
  return found;
}

Result<HeldCheckpoint> RunCheckpoints::load(const Candidate& candidate,
                                            const std::atomic<bool>& stop) const {
  if (!candidate.here) {
    if (auto fetched = options_.remote->fetch(candidate.state, stop); !fetched)
      return tl::unexpected(fetched.error());
  }
  return options_.folder->load(candidate.state);
}

std::optional<Checkpoint> RunCheckpoints::longest_prefix(const std::atomic<bool>& stop) {
  if (options_.folder == nullptr) return std::nullopt;
  const std::vector<Candidate> found = candidates(stop);
  for (auto candidate = found.rbegin(); candidate != found.rend() && !stop; ++candidate) {
    auto held = load(*candidate, stop);
    if (!held) {
      options_.log(held.error().message);
      continue;
    }
    if (!has_points_of_plan(held->checkpoint)) continue;
    use_points_of_plan(held->checkpoint);
    if (!candidate->own) take_over(held->checkpoint);
    note_numerics(held->checkpoint);
    saved_iteration_ = held->checkpoint.iteration;
    saved_seconds_ = held->checkpoint.train_seconds;
    const bool own = candidate->own && !held->checkpoint.ends_run;
    kept_.push_back({candidate->state, std::move(held->hold), own});
    options_.log(fmt::format("goes on from the checkpoint of iteration {} of {}, {:.12}{}",
                             saved_iteration_, plan_.iterations, candidate->state.hex(),
                             candidate->here ? "" : ", which came from the checkpoint service"));
    if (computed_.size() > 1) options_.log(remarks());
    return std::move(held->checkpoint);
  }
  return std::nullopt;
}

// A point at the checkpoint's own iteration may be missing: it is measured when the run goes on.
bool RunCheckpoints::has_points_of_plan(const Checkpoint& checkpoint) const {
  const MeasuredHow& measured = checkpoint.measured;
  if (measured.part != plan_.evaluate_on || measured.train_subset != plan_.train_subset ||
      measured.version != kMetricVersion)
    return false;
  if (plan_.m_opt_every > 0 && measured.m_opt_every != plan_.m_opt_every) return false;
  // Amid three iterates of M-opt: their value would be missing.
  if (plan_.m_opt_every > 0 && checkpoint.iteration < plan_.iterations &&
      checkpoint.iteration % plan_.m_opt_every == 1)
    return false;
  if (policy_.reactive() != checkpoint.controller.has_value()) return false;
  std::int64_t wanted = 0;
  for (const MetricPoint& point : checkpoint.history) {
    if (point.iteration > wanted) return false;
    if (point.iteration == wanted) wanted += plan_.evaluate_every;
  }
  return wanted >= checkpoint.iteration;
}

// Another run may have ended, and so evaluated, where this one does not; and a point's rate is that
// of the iteration to come, which policies with the same beginning need not share.
void RunCheckpoints::use_points_of_plan(Checkpoint& checkpoint) const {
  std::vector<MetricPoint> history;
  std::vector<MoptValue> passed;  // M-opt of points that are left out stands in the next one
  for (MetricPoint& point : checkpoint.history) {
    passed.insert(passed.end(), point.m_opt.begin(), point.m_opt.end());
    if (!evaluates(plan_, point.iteration)) continue;
    point.m_opt.clear();
    if (plan_.m_opt_every > 0) std::swap(point.m_opt, passed);
    // The controller's rates are this run's own.
    if (!policy_.reactive()) point.learning_rate = learning_rate(policy_, point.iteration);
    history.push_back(std::move(point));
  }
  checkpoint.history = std::move(history);
  checkpoint.m_opt.insert(checkpoint.m_opt.begin(), passed.begin(), passed.end());
  if (plan_.m_opt_every == 0) checkpoint.m_opt.clear();
}

// The states of another run get the names that they have in this one.
void RunCheckpoints::take_over(Checkpoint& checkpoint) const {
  const Policy applied =
      checkpoint.controller
          ? realised(*policy_.plateau, checkpoint.controller->run, checkpoint.iteration)
          : policy_;
  Digest state = names_.start;
  std::int64_t at = 0;
  for (MetricPoint& point : checkpoint.history) {
    state = state_after(state, applied, at, point.iteration);
    at = point.iteration;
    point.state = state;
  }
  state = state_after(state, applied, at, checkpoint.iteration);
  checkpoint.state = kept_name(state, checkpoint.iteration);
  if (checkpoint.controller) checkpoint.controller->applied = state;
}

void RunCheckpoints::note_numerics(const Checkpoint& checkpoint) {
  if (names_.computes_with.empty() || checkpoint.computed.empty()) return;
  computed_ = checkpoint.computed;
  if (checkpoint.iteration < plan_.iterations && computed_.back().with != names_.computes_with)
    computed_.push_back({.from = checkpoint.iteration, .with = names_.computes_with});
}

std::string RunCheckpoints::remarks() const {
  if (computed_.size() < 2) return {};
  std::string text = "not computed with the same numerics all along:";
  for (std::size_t i = 0; i < computed_.size(); ++i)
    text += fmt::format("{} from iteration {} {}", i == 0 ? "" : ",", computed_[i].from,
                        computed_[i].with);
  return text;
}

bool RunCheckpoints::due(double train_seconds) const {
  return options_.folder != nullptr &&
         train_seconds - saved_seconds_ >= std::chrono::duration<double>(options_.every).count();
}

void RunCheckpoints::save(Checkpoint checkpoint) {
  if (options_.folder == nullptr || checkpoint.iteration == saved_iteration_) return;
  checkpoint.computed = computed_;
  checkpoint.ends_run = checkpoint.iteration == plan_.iterations;
  const Digest state = checkpoint.state;
  saved_seconds_ = checkpoint.train_seconds;  // a failed attempt is not made again at once
  auto hold = options_.folder->save(checkpoint);
  if (!hold) {
    if (!failing_) options_.log("no checkpoint is kept: " + hold.error().message);
    failing_ = true;
    return;
  }
  failing_ = false;
  saved_iteration_ = checkpoint.iteration;
  kept_.push_back({state, std::move(*hold)});
  if (options_.remote != nullptr) {
    if (auto file = options_.folder->open_file(state))
      options_.remote->push(state, std::move(*file).hold());
  }
  while (kept_.size() > kKept) drop_oldest();
}

void RunCheckpoints::keep_last_only() {
  while (kept_.size() > 1) drop_oldest();
}

void RunCheckpoints::drop_oldest() {
  const Digest state = kept_.front().state;
  const bool own = kept_.front().own;
  kept_.pop_front();  // lets go of it first; another run may still hold it
  if (options_.remote != nullptr) {
    own ? options_.remote->remove(state) : options_.remote->release(state);
  } else if (own) {
    options_.folder->remove(state);
  }
}

void RunCheckpoints::hand_over() {
  if (options_.remote == nullptr || kept_.empty()) return;
  if (auto pushed = options_.remote->wait_until_pushed(kept_.back().state); !pushed)
    options_.log("another machine cannot go on from here: " + pushed.error().message);
}

}  // namespace lrtune
