#include "worker/training/libtorch_trainer.h"

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/state_name.h"
#include "worker/training/datasets.h"
#include "worker/training/device.h"
#include "worker/training/device_name.h"
#include "worker/training/memory_gate.h"
#include "worker/training/network_file.h"
#include "worker/training/torchscript.h"
#include "worker/training/training_run.h"

namespace lrtune {
namespace {

// The initial states of runs that an inexact one may go on from: such with exact names, made with
// the numerics that the job was planned for or with these, at usual numbers of threads; and inexact
// ones on another kind of device.
std::vector<Digest> other_starts(const TrainingJob& job, const Numerics& own) {
  std::vector<Digest> starts;
  if (!job.identity.train.inexact) return starts;
  const auto add = [&](const TrainingIdentity& identity) {
    starts.push_back(initial_state(identity.hash(), job.seed));
  };
  for (const std::string& device : std::vector<std::string>{"cpu", "cuda"}) {
    TrainingIdentity elsewhere = job.identity;
    elsewhere.train.device = elsewhere.numerics.device = device;
    if (device != job.identity.train.device) add(elsewhere);
  }
  TrainingIdentity exact = job.identity;
  exact.train.inexact = false;
  std::set<int> threads = {1, 2, 4, 8, 16, 32, 64};
  threads.insert(job.identity.train.threads);
  for (const Numerics& numerics : {job.identity.numerics, own}) {
    exact.numerics = numerics;
    for (const int number : threads) {
      exact.train.threads = exact.numerics.threads = number;
      add(exact);
    }
    if (job.identity.numerics == own) break;
  }
  return starts;
}

// Tells the gate what a run takes: once it has evaluated (a new run does before its first step) and
// trained, its recorded step included.
class MemoryObserver final : public TrainingObserver {
 public:
  MemoryObserver(TrainingObserver& observer, MemoryGate::Place& place, at::Device device)
      : observer_(observer), place_(place), device_(device) {
    if (!place_.unmeasured()) return;
    begin_counting_memory(device_);
    before_ = taken_memory(device_);
    steps_left_ = kSteps;
  }
  void measured(const MetricPoint& point) override { observer_.measured(point); }
  void entered(TrainingPhase phase) override { observer_.entered(phase); }
  void progressed(std::int64_t iteration) override {
    if (steps_left_ > 0 && --steps_left_ == 0) place_.measured(taken_memory(device_) - before_);
    observer_.progressed(iteration);
  }

 private:
  static constexpr int kSteps = 6;
  TrainingObserver& observer_;
  MemoryGate::Place& place_;
  const at::Device device_;
  std::int64_t before_ = 0;
  int steps_left_ = 0;
};

class LibtorchTrainer final : public Trainer {
 public:
  LibtorchTrainer(ComputeDevice device, Numerics numerics, const LibtorchOptions& options)
      : device_(std::move(device)),
        numerics_(std::move(numerics)),
        checkpoints_(options.checkpoints),
        trusted_(options.trusted),
        decoding_(options.decoding),
        steps_{.record = options.record_steps, .log = options.checkpoints.log},
        ahead_(options.always_ahead || !device_.device.is_cpu()),
        memory_([device = device_.device] { return free_memory(device); }),
        datasets_(DataPlaces::from_environment()) {}

  Numerics numerics() const override { return numerics_; }
  Result<DataFacts> survey(const TrainSpec& spec) override;
  Outcome train(const TrainingJob& job, TrainingObserver& observer,
                const std::atomic<bool>& stop) override;
  std::optional<std::string> broken() const override {
    const std::lock_guard lock(mutex_);
    return broken_;
  }

 private:
  std::optional<Error> check_spec(const TrainSpec& spec) const;
  std::optional<Error> check_job(const TrainingJob& job) const;
  Result<Outcome> run_job(const TrainingJob& job, TrainingObserver& observer,
                          const std::atomic<bool>& stop);
  Result<std::unique_ptr<Model>> network(const TrainSpec& spec, const ImageShape& shape,
                                         std::uint64_t seed, DataFacts& facts) const;
  std::shared_ptr<const DeviceData> device_data(std::shared_ptr<const Dataset> dataset);
  void note_state_of_device();

  const ComputeDevice device_;
  const Numerics numerics_;
  const CheckpointOptions checkpoints_;
  const std::vector<std::filesystem::path> trusted_;
  const DecodeOptions decoding_;
  const StepOptions steps_;
  const bool ahead_;
  MemoryGate memory_;
  DatasetCache datasets_;
  mutable std::mutex mutex_;
  std::optional<std::string> broken_;
  std::unordered_map<const Dataset*, std::shared_ptr<const DeviceData>> on_device_;
};

std::optional<Error> LibtorchTrainer::check_spec(const TrainSpec& spec) const {
  if (spec.device != numerics_.device) {
    return Error{
        fmt::format("this worker computes on {}, not on {}", numerics_.device, spec.device)};
  }
  if (spec.threads < 1 || (spec.threads > numerics_.threads && !spec.inexact)) {
    return Error{fmt::format("this worker gives a job from 1 to {} threads, not {}",
                             numerics_.threads, spec.threads)};
  }
  if (spec.batch < 1)
    return Error{fmt::format("the batch must have at least 1 sample, not {}", spec.batch)};
  if (auto optimizer = make_optimizer(spec.optimizer, {}); !optimizer) return optimizer.error();
  return std::nullopt;
}

Result<DataFacts> LibtorchTrainer::survey(const TrainSpec& spec) {
  if (auto error = check_spec(spec)) return tl::unexpected(std::move(*error));
  auto dataset = datasets_.get(spec.dataset);
  if (!dataset) return tl::unexpected(dataset.error());
  if (auto error = check_input(spec.input, input_size(spec.input, **dataset)))
    return tl::unexpected(std::move(*error));
  const ImageShape shape = image_shape(spec, **dataset);
  auto facts = data_facts(**dataset, spec.validation);
  if (!facts) return facts;
  if (spec.model.name != kTorchscript) {
    if (auto error = check_model(spec.model, shape, spec.batch))
      return tl::unexpected(std::move(*error));
    return facts;
  }
  const ThreadScope scope(device_.device, std::min(spec.threads, numerics_.threads));
  if (auto model = network(spec, shape, /*seed=*/0, *facts); !model)
    return tl::unexpected(model.error());
  return facts;
}

// The network in its initial state. Notes in `facts` what file it was made from.
Result<std::unique_ptr<Model>> LibtorchTrainer::network(const TrainSpec& spec,
                                                        const ImageShape& shape, std::uint64_t seed,
                                                        DataFacts& facts) const {
  if (spec.model.name != kTorchscript) return make_model(spec.model, shape, seed, device_.device);
  const auto file = read_network_file(spec.model.file, trusted_);
  if (!file) return tl::unexpected(file.error());
  facts.network = file->digest;
  return make_torchscript(file->bytes, file->path.string(), spec.model, shape, spec.batch,
                          device_.device);
}

std::optional<Error> LibtorchTrainer::check_job(const TrainingJob& job) const {
  if (auto error = check_spec(job.identity.train)) return error;
  if (auto mismatch =
          numerics_mismatch(numerics_, job.identity.numerics, job.identity.train.inexact)) {
    return Error{std::move(*mismatch)};
  }
  const RunPlan& plan = job.plan;
  if (job.policy.segments.empty() && !job.policy.reactive())
    return Error{"the policy has no segment"};
  if (job.policy.reactive() &&
      job.policy.plateau->every % std::max<std::int64_t>(1, plan.evaluate_every) != 0)
    return Error{"the controller is asked where the run does not evaluate"};
  if (plan.iterations < 0 || plan.evaluate_every < 1 || plan.train_subset < 1) {
    return Error{fmt::format(
        "a run needs 0 or more iterations, evaluations every 1 or more and a train subset of "
        "1 or more samples, not {}, {} and {}",
        plan.iterations, plan.evaluate_every, plan.train_subset)};
  }
  if (plan.evaluate_on == Part::kValidation && job.identity.data.validation_samples == 0) {
    return Error{"the validation part is evaluated, but train.validation holds out no sample"};
  }
  return std::nullopt;
}

std::shared_ptr<const DeviceData> LibtorchTrainer::device_data(
    std::shared_ptr<const Dataset> dataset) {
  const std::lock_guard lock(mutex_);
  auto& data = on_device_[dataset.get()];  // datasets_ keeps the set, so its address stays its own
  if (data == nullptr)
    data = std::make_shared<const DeviceData>(std::move(dataset), device_.device);
  return data;
}

Result<Outcome> LibtorchTrainer::run_job(const TrainingJob& job, TrainingObserver& observer,
                                         const std::atomic<bool>& stop) {
  const TrainSpec& spec = job.identity.train;
  if (auto error = check_job(job)) return tl::unexpected(std::move(*error));
  auto dataset = datasets_.get(spec.dataset);
  if (!dataset) return tl::unexpected(dataset.error());
  auto facts = data_facts(**dataset, spec.validation);
  if (!facts) return tl::unexpected(facts.error());
  Numerics numerics = numerics_;  // of this run
  numerics.threads = std::min(spec.threads, numerics_.threads);
  const ThreadScope scope(device_.device, numerics.threads);
  auto model = network(spec, image_shape(spec, **dataset), job.seed, *facts);
  if (!model) return tl::unexpected(model.error());
  if (facts->network != job.identity.data.network) {
    return fail(fmt::format("the network {} here is not that of the job: its contents differ",
                            spec.model.file));
  }
  if (*facts != job.identity.data) {
    return fail(fmt::format("the data in {} (fingerprint {}) are not those of the job ({})",
                            (*dataset)->folder.string(), facts->fingerprint.hex(),
                            job.identity.data.fingerprint.hex()));
  }
  const auto split = split_training_data((*dataset)->train.samples(), spec.validation);
  if (!split) return tl::unexpected(split.error());

  auto optimizer = make_optimizer(spec.optimizer, (*model)->parameters());
  if (!optimizer) return tl::unexpected(optimizer.error());
  const auto data = device_data(*dataset);
  auto batches = is_image_folder(spec.dataset)
                     ? make_folder_batches(job, **dataset, *split, device_.device, decoding_)
                     : make_memory_batches(job, *data, *split);
  if (!batches) return tl::unexpected(batches.error());
  if (ahead_) *batches = make_ahead_batches(*std::move(batches));
  RunCheckpoints checkpoints(checkpoints_,
                             {.start = initial_state(job.identity.hash(), job.seed),
                              .others = other_starts(job, numerics),
                              .computes_with = words(numerics)},
                             job.policy, job.plan);
  return TrainingRun(job, **batches, *split, std::move(*model), std::move(*optimizer), observer,
                     stop, checkpoints, steps_)
      .run();
}

Outcome LibtorchTrainer::train(const TrainingJob& job, TrainingObserver& observer,
                               const std::atomic<bool>& stop) {
  Outcome failed{.kind = OutcomeKind::kFailed,
                 .state = initial_state(job.identity.hash(), job.seed)};
  observer.entered(TrainingPhase::kWaitingForDevice);
  auto place = memory_.enter(job.identity.hash(), stop);
  observer.entered(TrainingPhase::kLoading);
  if (!place) {
    failed.kind = OutcomeKind::kStopped;
    failed.message = "asked to stop";
    return failed;
  }
  try {
    MemoryObserver watching(observer, *place, device_.device);
    auto outcome = run_job(job, watching, stop);
    if (outcome) {
      place->ended_well();
      return *outcome;
    }
    failed.message = outcome.error().message;
    return failed;
  } catch (const c10::OutOfMemoryError& error) {
    failed.message = fmt::format("LibTorch: {}", error.what_without_backtrace());
    place->ran_out();
    give_back_memory(device_.device);
  } catch (const c10::Error& error) {
    failed.message = fmt::format("LibTorch: {}", error.what_without_backtrace());
  } catch (const std::exception& error) {
    failed.message = error.what();
  }
  // A job that asks for what is not there was refused above. An exception is the machine's: memory
  // ran out, a device failed.
  failed.kind = OutcomeKind::kFailedHere;
  note_state_of_device();
  return failed;
}

// An error that stays is seen by the next thing that is asked of the device.
void LibtorchTrainer::note_state_of_device() {
  try {
    finish_work(device_.device);
  } catch (const std::exception& error) {
    const std::string text = error.what();  // LibTorch adds a backtrace
    const std::lock_guard lock(mutex_);
    broken_ = fmt::format("device {} is broken in this process: {}", numerics_.device,
                          text.substr(0, text.find('\n')));
  }
}

}  // namespace

Result<std::unique_ptr<Trainer>> make_libtorch_trainer(const LibtorchOptions& options) {
  auto device = open_device(options.device);
  if (!device) return tl::unexpected(device.error());
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  Numerics numerics{.backend = "libtorch " TORCH_VERSION,
                    .device = parse_device(options.device).value().kind,
                    .instruction_set = device->instruction_set,
                    .threads = options.threads > 0 ? options.threads : cores};
  return std::make_unique<LibtorchTrainer>(std::move(*device), std::move(numerics), options);
}

}  // namespace lrtune
