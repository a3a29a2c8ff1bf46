#include "worker/training/training_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/state_name.h"
#include "worker/training/device.h"
#include "worker/training/metrics.h"
#include "worker/training/run_tensors.h"

namespace lrtune {
namespace {

// Its results may differ in their last bits with another size, so it belongs to kMetricVersion.
constexpr std::size_t kEvaluationBatch = 250;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<std::int64_t> samples_of(Part part, const Split& split, std::int64_t test_samples) {
  if (part == Part::kTrain) return split.train;
  if (part == Part::kValidation) return split.validation;
  std::vector<std::int64_t> all(static_cast<std::size_t>(test_samples));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

}  // namespace

ImageShape image_shape(const TrainSpec& train, const Dataset& dataset) {
  const ImageSize size = input_size(train.input, dataset);
  return {size.channels, size.rows, size.columns, dataset.classes};
}

TrainingRun::TrainingRun(const TrainingJob& job, BatchSource& batches, const Split& split,
                         std::unique_ptr<Model> model, std::unique_ptr<Optimizer> optimizer,
                         TrainingObserver& observer, const std::atomic<bool>& stop,
                         RunCheckpoints& checkpoints, StepOptions steps)
    : job_(job),
      batches_(batches),
      observer_(observer),
      stop_(stop),
      checkpoints_(checkpoints),
      model_(std::move(model)),
      optimizer_(std::move(optimizer)),
      step_work_(*model_, batches.device(), job.identity.train.precision, std::move(steps)),
      watch_(batches.device()),
      m_opt_(model_->parameters(), job.plan.m_opt_every),
      rates_(job.policy),
      train_subset_(train_subset(split, batches.dataset().train.samples(), job.plan.train_subset)),
      evaluated_samples_(samples_of(job.plan.evaluate_on, split, batches.dataset().test.samples())),
      state_(initial_state(job.identity.hash(), job.seed)),
      good_state_(state_) {}

Outcome TrainingRun::run() {
  if (auto outcome = go_on_from_checkpoint()) return *outcome;
  train_on();
  while (true) {
    if (auto outcome = next()) return *outcome;
  }
}

// Evaluates, saves and steps; the outcome if that was the end.
std::optional<Outcome> TrainingRun::next() {
  if (asked_to_stop()) return stopped();
  const bool out_of_time = time_is_over();
  if (evaluation_due(out_of_time)) {
    if (auto outcome = look_for_divergence()) return *outcome;  // on a GPU: waits for the steps
    pause_clock();
    if (auto outcome = evaluate()) {
      if (outcome->kind != OutcomeKind::kDiverged) save_checkpoint();
      if (outcome->kind == OutcomeKind::kStopped) hand_over();
      return *outcome;
    }
    train_on();
  }
  if (iteration_ == job_.plan.iterations || out_of_time) {
    save_checkpoint();
    checkpoints_.keep_last_only();
    return ended(iteration_ == job_.plan.iterations ? OutcomeKind::kCompleted
                                                    : OutcomeKind::kTimeLimit);
  }
  if (!m_opt_.amid_window() && checkpoints_.due(train_seconds_ + seconds_since(segment_start_))) {
    if (auto outcome = look_for_divergence()) return *outcome;
    pause_clock();
    save_checkpoint();
    train_on();
  }
  if (auto outcome = step()) return *outcome;
  if ((iteration_ - good_iteration_) % watch_.look_every() == 0) {
    if (auto outcome = look_for_divergence()) return *outcome;
  }
  observer_.progressed(iteration_);
  return std::nullopt;
}

// Between the two steps of M-opt it goes on for one more: a checkpoint has no iterate but the last.
bool TrainingRun::asked_to_stop() const { return stop_.load() && !m_opt_.amid_window(); }

// A run that is asked to stop keeps where it is, where the next worker finds it.
Outcome TrainingRun::stopped() {
  if (auto outcome = look_for_divergence()) return *outcome;
  pause_clock();
  save_checkpoint();
  hand_over();
  return ended(OutcomeKind::kStopped, "asked to stop");
}

void TrainingRun::hand_over() {
  observer_.entered(TrainingPhase::kCheckpointing);
  checkpoints_.hand_over();
}

void TrainingRun::train_on() {
  observer_.entered(TrainingPhase::kTraining);
  segment_start_ = Clock::now();
}

void TrainingRun::pause_clock() { train_seconds_ += seconds_since(segment_start_); }

std::optional<Outcome> TrainingRun::go_on_from_checkpoint() {
  const auto checkpoint = checkpoints_.longest_prefix(stop_);
  if (!checkpoint) return std::nullopt;
  const auto restored = restore(checkpoint->tensors, run_tensors(*model_, *optimizer_));
  if (!restored) return ended(OutcomeKind::kFailed, restored.error().message);
  iteration_ = good_iteration_ = checkpoint->iteration;
  state_ = good_state_ = checkpoint->state;
  if (checkpoint->controller) {
    state_ = good_state_ = checkpoint->controller->applied;
    rates_.restore(checkpoint->controller->run);
  }
  m_opt_.restore(checkpoint->m_opt);
  train_seconds_ = checkpoint->train_seconds;
  evaluate_seconds_ = checkpoint->evaluate_seconds;
  for (const MetricPoint& point : checkpoint->history) {
    if (auto outcome = report(point)) {
      outcome->iteration = point.iteration;
      outcome->state = point.state;
      if (outcome->realised) outcome->realised = rates_.applied(point.iteration);
      return outcome;
    }
  }
  observer_.progressed(iteration_);
  return std::nullopt;
}

// REQUIRES: the losses up to here are known to be finite.
void TrainingRun::save_checkpoint() {
  if (iteration_ == checkpoints_.saved_iteration() || !checkpoints_.wanted()) return;
  observer_.entered(TrainingPhase::kCheckpointing);
  std::optional<KeptController> controller;
  if (job_.policy.reactive()) controller = {state_, rates_.controller()};
  checkpoints_.save({.state = checkpoints_.kept_name(state_, iteration_),
                     .iteration = iteration_,
                     .measured = {.part = job_.plan.evaluate_on,
                                  .train_subset = job_.plan.train_subset,
                                  .m_opt_every = job_.plan.m_opt_every},
                     .history = history_,
                     .train_seconds = train_seconds_,
                     .evaluate_seconds = evaluate_seconds_,
                     .tensors = stored(run_tensors(*model_, *optimizer_)),
                     .controller = std::move(controller),
                     .m_opt = m_opt_.values()});
}

// Applies iteration `iteration_`. On the CPU a loss that is not finite leaves the weights alone; on
// a GPU they are spoilt by the time it is seen, and the run ends at the same iteration all the
// same.
std::optional<Outcome> TrainingRun::step() {
  const auto batch = batches_.training_batch(iteration_);
  if (!batch) return ended(OutcomeKind::kFailed, batch.error().message);
  const ForwardPass pass{.training = true, .seed = job_.seed, .iteration = iteration_};
  const LossGradient::Values& values = step_work_.of(*batch, pass);
  watch_.note(values.loss, iteration_);
  const double rate = rates_.at(iteration_);
  m_opt_.before_step(iteration_);
  if (!batches_.device().is_cpu() || !watch_.first_bad())
    optimizer_->step(values.gradients, rate, iteration_);
  m_opt_.after_step(iteration_, rate);
  rates_since_good_.push_back(rate);
  state_ = next_state(state_, rate);
  ++iteration_;
  if (iteration_ < job_.plan.iterations) batches_.prepare(iteration_);
  return std::nullopt;
}

bool TrainingRun::evaluation_due(bool last) const {
  const bool done = !history_.empty() && history_.back().iteration == iteration_;
  return !done && (last || evaluates(job_.plan, iteration_));
}

bool TrainingRun::time_is_over() const {
  const double seconds = train_seconds_ + evaluate_seconds_ + seconds_since(segment_start_);
  return job_.plan.max_seconds && seconds >= *job_.plan.max_seconds;
}

std::optional<Outcome> TrainingRun::look_for_divergence() {
  const auto bad = watch_.first_bad();
  if (bad) {
    state_ = good_state_;
    for (std::int64_t t = good_iteration_; t < *bad; ++t) {
      state_ = next_state(state_, rates_since_good_[static_cast<std::size_t>(t - good_iteration_)]);
    }
    iteration_ = *bad;
    return ended(OutcomeKind::kDiverged,
                 fmt::format("the training loss of iteration {} is not finite", *bad));
  }
  good_iteration_ = iteration_;
  good_state_ = state_;
  rates_since_good_.clear();
  return std::nullopt;
}

std::optional<Outcome> TrainingRun::evaluate() {
  observer_.entered(TrainingPhase::kEvaluating);
  const auto start = std::chrono::steady_clock::now();
  const RunPlan& plan = job_.plan;
  const auto train = metrics_of(Part::kTrain, train_subset_);
  const auto evaluated = train ? metrics_of(plan.evaluate_on, evaluated_samples_) : std::nullopt;
  if (failure_) return ended(OutcomeKind::kFailed, failure_->message);
  if (!evaluated) return ended(OutcomeKind::kStopped, "asked to stop");
  evaluate_seconds_ += seconds_since(start);
  if (!std::isfinite(train->loss) || !std::isfinite(evaluated->loss)) {
    return ended(OutcomeKind::kDiverged,
                 fmt::format("the evaluated loss at iteration {} is not finite", iteration_));
  }
  MetricPoint point{.iteration = iteration_,
                    .state = state_,
                    .train = *train,
                    .evaluated = *evaluated,
                    .train_seconds = train_seconds_,
                    .evaluate_seconds = evaluate_seconds_,
                    .m_opt = m_opt_.take()};
  if (rates_.observes(iteration_))
    rates_.observe(iteration_, value_of(job_.policy.plateau->metric, point));
  point.learning_rate = rates_.at(iteration_);
  return report(point);
}

// The outcome if the plan ends the run at this point.
std::optional<Outcome> TrainingRun::report(const MetricPoint& point) {
  history_.push_back(point);
  observer_.measured(point);
  const RunPlan& plan = job_.plan;
  if (plan.stop_at_target && plan.target && reaches(*plan.target, point.evaluated))
    return ended(OutcomeKind::kTargetReached);
  return std::nullopt;
}

// Nothing if the run was asked to stop in between.
std::optional<PartMetrics> TrainingRun::metrics_of(Part file,
                                                   std::span<const std::int64_t> samples) {
  const at::NoGradGuard no_graph;
  const ForwardPass pass{.training = false, .seed = job_.seed, .iteration = iteration_};
  MetricSum sum(batches_.dataset().classes);
  std::size_t counted = 0;
  for (std::size_t first = 0; first < samples.size(); first += kEvaluationBatch) {
    if (asked_to_stop()) return std::nullopt;
    const std::size_t count = std::min(kEvaluationBatch, samples.size() - first);
    const auto batch = batches_.evaluation_batch(file, samples, first, count);
    if (!batch) {
      failure_ = batch.error();
      return std::nullopt;
    }
    if (batch->classes.empty()) continue;  // none of its images can be decoded
    counted += batch->classes.size();
    const at::Tensor logits = step_work_.logits(batch->inputs, pass).to(at::kCPU).contiguous();
    sum.add(std::span(logits.const_data_ptr<float>(), static_cast<std::size_t>(logits.numel())),
            batch->classes);
  }
  if (counted == 0) {
    failure_ = Error{"none of the evaluated images can be decoded: " + batches_.remarks()};
    return std::nullopt;
  }
  return sum.mean();
}

Outcome TrainingRun::ended(OutcomeKind kind, std::string message) const {
  for (const std::string& remark : {batches_.remarks(), checkpoints_.remarks()}) {
    if (!remark.empty()) message += (message.empty() ? "" : "; ") + remark;
  }
  Outcome outcome{
      .kind = kind, .iteration = iteration_, .state = state_, .message = std::move(message)};
  if (job_.policy.reactive()) outcome.realised = rates_.applied(iteration_);
  return outcome;
}

}  // namespace lrtune
