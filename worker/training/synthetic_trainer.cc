#include "worker/training/synthetic_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "common/policy/run_rates.h"
#include "common/random.h"
#include "common/state_name.h"
#include "worker/training/metrics.h"

namespace lrtune {
namespace {

using Clock = std::chrono::steady_clock;

// What stands for the network: how far it has learned, and how much the current rate shakes it.
// Learning is fastest near a rate of 0.05; a high rate at the end leaves loss behind, so decaying
// pays.
struct FakeNetwork {
  double progress = 0;
  double shaking = 0;

  void step(double rate) {
    constexpr double kBestRate = 0.05;
    const double ratio = rate / kBestRate;
    progress += 0.002 * ratio / (1 + ratio * ratio);
    shaking += 0.02 * (rate - shaking);
  }

  PartMetrics metrics(double luck, double gap) const {
    const double unlearned = std::exp(-progress);
    const double loss = 0.03 + 2.27 * unlearned + 0.5 * shaking + 0.004 * luck + gap;
    const double wrong = 0.008 + 0.892 * unlearned + 0.15 * shaking + 0.001 * luck + 0.1 * gap;
    return {.loss = loss,
            .top1 = std::clamp(1 - wrong, 0.0, 1.0),
            .top5 = std::clamp(1 - 0.3 * wrong, 0.0, 1.0),
            .confidence = Confidence{.mean = std::clamp(1 - 0.5 * wrong, 0.0, 1.0),
                                     .deviation = 0.2 * unlearned,
                                     .class_deviation = 0.05 * unlearned}};
  }
};

// M-opt of its two numbers, as m_opt_meter.h does it for networks.
class FakeMoptMeter {
 public:
  explicit FakeMoptMeter(std::int64_t every) : every_(every) {}

  void before_step(std::int64_t t, const FakeNetwork& network) {
    if (every_ > 0 && t % every_ == 0) iterates_ = {network};
  }
  void after_step(std::int64_t t, double rate, const FakeNetwork& network) {
    if (iterates_.empty()) return;
    iterates_.push_back(network);
    if (iterates_.size() < 3) return;
    const auto turn = [](double first, double middle, double last) {
      return std::abs(2 * middle - first - last);
    };
    const auto& [first, middle, last] = std::tie(iterates_[0], iterates_[1], iterates_[2]);
    const double moved =
        std::abs(middle.progress - first.progress) + std::abs(middle.shaking - first.shaking);
    const double turned = turn(first.progress, middle.progress, last.progress) +
                          turn(first.shaking, middle.shaking, last.shaking);
    values_.push_back({t, rate, m_opt(rate, moved, turned)});
    iterates_.clear();
  }
  std::vector<MoptValue> take() { return std::exchange(values_, {}); }

 private:
  const std::int64_t every_;
  std::vector<FakeNetwork> iterates_;
  std::vector<MoptValue> values_;
};

// Lets iterations take a given time. Deadlines count from the start, so the waits do not add up
// their lateness.
class Pace {
 public:
  explicit Pace(std::chrono::microseconds each) : each_(each), next_(Clock::now()) {}

  void wait(const std::atomic<bool>& stop) {
    if (each_.count() == 0) return;
    next_ += each_;
    std::unique_lock lock(mutex_);
    // `stop` is a plain flag that wakes nobody, so the wait is cut in slices.
    for (auto now = Clock::now(); now < next_ && !stop.load(); now = Clock::now()) {
      wake_.wait_until(lock, std::min(next_, now + std::chrono::milliseconds(1)));
    }
  }

 private:
  std::chrono::microseconds each_;
  Clock::time_point next_;
  std::mutex mutex_;
  std::condition_variable wake_;
};

[[noreturn]] void hang() {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (true) never.wait(lock);
}

class SyntheticTrainer final : public Trainer {
 public:
  explicit SyntheticTrainer(const SyntheticOptions& options) : options_(options) {}

  Numerics numerics() const override {
    return {.backend = "synthetic 1",
            .device = "cpu",
            .instruction_set = "DEFAULT",
            .threads = options_.threads};
  }

  Result<DataFacts> survey(const TrainSpec& spec) override {
    constexpr std::int64_t kSamples = 60'000;
    const auto held_out = std::llround(spec.validation * static_cast<double>(kSamples));
    return DataFacts{.fingerprint = sha256("synthetic data set " + spec.dataset.name),
                     .train_samples = kSamples - held_out,
                     .validation_samples = held_out,
                     .test_samples = 10'000,
                     .classes = 10};
  }

  Outcome train(const TrainingJob& job, TrainingObserver& observer,
                const std::atomic<bool>& stop) override;

 private:
  std::optional<std::string> obstacle(const TrainingJob& job) const;
  bool hangs_now() const {
    if (options_.hang_once.empty()) return true;
    std::FILE* file = std::fopen(options_.hang_once.c_str(), "wx");  // fails if it is there
    if (file != nullptr) std::fclose(file);
    return file != nullptr;
  }

  const SyntheticOptions options_;
};

std::optional<std::string> SyntheticTrainer::obstacle(const TrainingJob& job) const {
  Numerics mine = numerics();
  mine.threads = std::min(mine.threads, job.identity.numerics.threads);
  if (job.identity.numerics != mine) {
    return fmt::format(
        "this worker computes with '{}' and up to {} threads, the job wants '{}' and {}",
        mine.backend, options_.threads, job.identity.numerics.backend,
        job.identity.numerics.threads);
  }
  if (job.policy.segments.empty() && !job.policy.reactive()) return "the policy has no segment";
  return std::nullopt;
}

Outcome SyntheticTrainer::train(const TrainingJob& job, TrainingObserver& observer,
                                const std::atomic<bool>& stop) {
  const RunPlan& plan = job.plan;
  Outcome outcome{.state = initial_state(job.identity.hash(), job.seed)};
  RunRates rates(job.policy);
  const auto ended = [&](OutcomeKind kind, std::string message) {
    outcome.kind = kind;
    outcome.message = std::move(message);
    if (job.policy.reactive()) outcome.realised = rates.applied(outcome.iteration);
    return outcome;
  };
  if (const auto reason = obstacle(job)) return ended(OutcomeKind::kFailed, *reason);

  FakeNetwork network;
  FakeMoptMeter m_opt(plan.m_opt_every);
  Pace pace(options_.iteration_time);
  const auto start = Clock::now();
  observer.entered(TrainingPhase::kTraining);
  const double luck = random_unit("synthetic luck", job.seed, 0);
  for (std::int64_t& t = outcome.iteration;; ++t) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const bool out_of_time = plan.max_seconds && seconds >= *plan.max_seconds;
    if (t == plan.iterations || t == 0 || out_of_time ||
        (plan.evaluate_every > 0 && t % plan.evaluate_every == 0)) {
      MetricPoint point{.iteration = t, .state = outcome.state};
      point.train = network.metrics(luck, 0);
      point.evaluated = network.metrics(luck, 0.01);
      point.train_seconds = seconds;
      point.m_opt = m_opt.take();
      if (rates.observes(t)) rates.observe(t, value_of(job.policy.plateau->metric, point));
      point.learning_rate = rates.at(t);
      observer.measured(point);
      if (plan.stop_at_target && plan.target && reaches(*plan.target, point.evaluated))
        return ended(OutcomeKind::kTargetReached, {});
    }
    if (t == plan.iterations) return ended(OutcomeKind::kCompleted, {});
    if (out_of_time) return ended(OutcomeKind::kTimeLimit, {});
    if (t == options_.hang_at && hangs_now()) hang();
    pace.wait(stop);
    if (stop.load()) return ended(OutcomeKind::kStopped, "asked to stop");
    const double rate = rates.at(t);
    if (!(rate <= options_.diverge_above)) {
      return ended(OutcomeKind::kDiverged,
                   fmt::format("the training loss at iteration {} is not finite", t));
    }
    m_opt.before_step(t, network);
    network.step(rate);
    m_opt.after_step(t, rate, network);
    outcome.state = next_state(outcome.state, rate);
    observer.progressed(t + 1);
  }
}

}  // namespace

std::unique_ptr<Trainer> make_synthetic_trainer(const SyntheticOptions& options) {
  return std::make_unique<SyntheticTrainer>(options);
}

}  // namespace lrtune
