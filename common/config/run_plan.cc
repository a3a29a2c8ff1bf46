#include "common/config/run_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/config/length_reader.h"
#include "common/json_reader.h"

namespace lrtune {
namespace {

Result<std::int64_t> iterations_of(const RunLength& length, const PolicyContext& context,
                                   const std::string& what, const std::string& path) {
  if (length.iterations > 0) return length.iterations;
  return length_from_json(fmt::format("{} epochs", length.epochs), context, what, path);
}

Result<std::int64_t> m_opt_interval(const Experiment& experiment, const PolicyContext& context,
                                    const RunPlan& plan) {
  auto every = iterations_of(experiment.m_opt_every, context, "m_opt.every", "/run/m_opt/every");
  if (!every) return every;
  if (*every < kLeastMoptInterval) {
    return fail(fmt::format("every of m_opt must be at least {} iterations, not {}",
                            kLeastMoptInterval, *every),
                "/run/m_opt/every");
  }
  const std::int64_t stretch = std::min(plan.evaluate_every, plan.iterations);
  if (stretch / *every >= kMostMoptValues) {
    return fail(
        fmt::format("m_opt gives up to {} values between two evaluations; fewer than {} are "
                    "allowed: take a larger every of m_opt or a smaller one of evaluate",
                    stretch / *every + 1, kMostMoptValues + 1),
        "/run/m_opt/every");
  }
  return every;
}

}  // namespace

Result<RunPlan> run_plan_of(const Experiment& experiment, const TrainSpec& train,
                            const DataFacts& data) {
  const bool on_validation = experiment.evaluate_on == Part::kValidation;
  if (data.train_samples < 1) return fail("no sample is left to train on", "/train/validation");
  if ((on_validation ? data.validation_samples : data.test_samples) < 1) {
    return fail(fmt::format("the {} part of {} has no sample to evaluate",
                            name_of(experiment.evaluate_on), train.dataset.name),
                on_validation ? "/train/validation" : "/run/evaluate/on");
  }
  PolicyContext context;
  context.samples_per_epoch = static_cast<double>(data.train_samples);
  context.batch = train.batch;
  auto iterations =
      iterations_of(experiment.length, context, "the length of the run", "/run/epochs");
  if (!iterations) return tl::unexpected(iterations.error());
  if (*iterations > kMostIterations) {
    return fail(fmt::format("the run has {} iterations; at most {} are allowed", *iterations,
                            kMostIterations),
                "/run/epochs");
  }
  auto every =
      iterations_of(experiment.evaluate_every, context, "evaluate.every", "/run/evaluate/every");
  if (!every) return tl::unexpected(every.error());
  RunPlan plan;
  plan.iterations = *iterations;
  plan.evaluate_every = *every;
  plan.evaluate_on = experiment.evaluate_on;
  plan.train_subset = std::min(experiment.train_subset, data.train_samples);
  plan.target = experiment.target;
  plan.stop_at_target = experiment.stop_at_target;
  plan.max_seconds = experiment.max_seconds;
  if (experiment.m_opt_every != RunLength{}) {
    auto m_opt = m_opt_interval(experiment, context, plan);
    if (!m_opt) return tl::unexpected(m_opt.error());
    plan.m_opt_every = *m_opt;
  }
  return plan;
}

Result<std::int64_t> first_rung_of(const Experiment& experiment, const RunPlan& plan,
                                   const TrainSpec& train, const DataFacts& data) {
  if (!has_rungs(experiment.method)) return plan.iterations;
  const PolicyContext context = policy_context_of(plan, train, data);
  auto first = iterations_of(experiment.first_rung, context, "first_rung", "/search/first_rung");
  if (first && *first > plan.iterations) {
    return fail(fmt::format("first_rung of search must be at most the run's {} iterations, not {}",
                            plan.iterations, *first),
                "/search/first_rung");
  }
  return first;
}

Result<std::vector<std::int64_t>> boundaries_of(const Experiment& experiment, const RunPlan& plan,
                                                const TrainSpec& train, const DataFacts& data) {
  const PolicyContext context = policy_context_of(plan, train, data);
  std::vector<std::int64_t> boundaries;
  for (std::size_t i = 0; i < experiment.boundaries.size(); ++i) {
    const std::string path = child_path("/search/boundaries", i);
    auto boundary = iterations_of(experiment.boundaries[i], context, "a boundary", path);
    if (!boundary) return tl::unexpected(boundary.error());
    const std::int64_t before = boundaries.empty() ? 0 : boundaries.back();
    if (*boundary <= before || *boundary >= plan.iterations) {
      return fail(fmt::format("boundary {} of search lies at iteration {}: it must be after {} and "
                              "before the run's end at {}",
                              i + 1, *boundary, before, plan.iterations),
                  path);
    }
    boundaries.push_back(*boundary);
  }
  return boundaries;
}

Result<std::int64_t> median_after(const Experiment& experiment, const RunPlan& plan,
                                  const TrainSpec& train, const DataFacts& data) {
  const RunLength& after = experiment.stop.median_after;
  if (after == RunLength{}) return 0;
  return iterations_of(after, policy_context_of(plan, train, data), "after of median",
                       "/search/stop/median/after");
}

PolicyContext policy_context_of(const RunPlan& plan, const TrainSpec& train,
                                const DataFacts& data) {
  PolicyContext context;
  context.run_iterations = plan.iterations;
  context.samples_per_epoch = static_cast<double>(data.train_samples);
  context.batch = train.batch;
  context.evaluate_every = plan.evaluate_every;
  return context;
}

}  // namespace lrtune
