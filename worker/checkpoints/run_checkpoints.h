// The checkpoints of one run: where it can go on from, and what it keeps while it trains. Used by
// the run's training thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/policy/policy.h"
#include "common/training.h"
#include "worker/checkpoints/checkpoint_folder.h"
#include "worker/checkpoints/remote_checkpoints.h"

namespace lrtune {

struct CheckpointOptions {
  CheckpointFolder* folder = nullptr;  // none: nothing is kept; it outlives the runs
  // Where machines without a common folder find them; none: in the folder alone. Outlives the runs.
  RemoteCheckpoints* remote = nullptr;
  // A run saves its state after so much training; also when it stops and when it ends.
  std::chrono::milliseconds every{60'000};
  // What people should know: where a run goes on, a checkpoint that could not be kept. Any thread.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

// Whether `plan` evaluates the state after `iteration` steps.
bool evaluates(const RunPlan& plan, std::int64_t iteration);

// What the states of a run are called.
struct RunNames {
  Digest start;  // the state at iteration 0
  // Names of initial states of runs, computed otherwise, that this one may go on from; what it then
  // takes over bears its own names. Of an inexact run only.
  std::vector<Digest> others = {};
  std::string computes_with = {};  // words(Numerics)
};

class RunCheckpoints {
 public:
  // The options, the policy and the plan outlive it.
  RunCheckpoints(const CheckpointOptions& options, RunNames names, const Policy& policy,
                 const RunPlan& plan);
  RunCheckpoints(const RunCheckpoints&) = delete;
  RunCheckpoints& operator=(const RunCheckpoints&) = delete;
  ~RunCheckpoints();

  // The name under which a state of the run is kept: `applied`, the chain over the rates; of a
  // reactive policy the name after `iteration` steps of the run as planned (common/state_name.h).
  Digest kept_name(const Digest& applied, std::int64_t iteration) const;

  // The longest prefix of the run, up to its end, that is kept here or remotely with every metric
  // point that the plan wants of it. Its history holds just these points, with the rates of this
  // policy. Nothing: the run starts from nothing. A damaged checkpoint, or one that does not come,
  // is logged and an earlier one taken. Of two of the same length the run's own goes first. `stop`
  // ends a wait for what is remote.
  std::optional<Checkpoint> longest_prefix(const std::atomic<bool>& stop);

  // Whether anything is kept at all.
  bool wanted() const { return options_.folder != nullptr; }

  // Time to save, after so many seconds of training in all.
  bool due(double train_seconds) const;

  // Keeps the checkpoint and the one before it, so that a damaged one costs little, and removes
  // those before. A failure is logged, once as long as it lasts, and the run goes on.
  void save(Checkpoint checkpoint);

  // The run has ended at the state that was saved last: those before it are not needed.
  void keep_last_only();

  // The run was asked to stop: waits until what was saved last is where another machine finds it.
  void hand_over();

  // For people: what was computed with which numerics, if it was more than one; else empty.
  std::string remarks() const;

  // Iterations up to here are kept, or were at the start.
  std::int64_t saved_iteration() const { return saved_iteration_; }

 private:
  struct Candidate {
    std::int64_t iteration = 0;
    Digest state;
    bool here = false;  // in the folder
    bool own = true;    // a state of this run, not of one of names_.others
  };
  std::vector<Candidate> candidates(const std::atomic<bool>& stop) const;
  Digest plan_from(const Digest& start) const;
  Result<HeldCheckpoint> load(const Candidate& candidate, const std::atomic<bool>& stop) const;
  bool has_points_of_plan(const Checkpoint& checkpoint) const;
  void use_points_of_plan(Checkpoint& checkpoint) const;
  void take_over(Checkpoint& checkpoint) const;
  void note_numerics(const Checkpoint& checkpoint);
  void drop_oldest();

  struct Kept {
    Digest state;
    CheckpointHold hold;
    bool own = true;  // else another run's, or its end: it stays when it is needed here no longer
  };

  const CheckpointOptions& options_;
  const RunNames names_;
  const Policy& policy_;
  const RunPlan& plan_;
  const Digest controller_;  // of a reactive policy
  std::deque<Kept> kept_;    // newest last
  std::vector<ComputedPart> computed_;
  std::int64_t saved_iteration_ = 0;
  double saved_seconds_ = 0;
  bool failing_ = false;
};

}  // namespace lrtune
