// What holds `lrtune run` together while it runs: looks after the local workers, if there are some,
// the progress display and the stop signals, and knows when its campaigns are over.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "coordinator/cli/command_signals.h"
#include "coordinator/cli/local_workers.h"
#include "coordinator/cli/progress_display.h"
#include "coordinator/runtime.h"

namespace lrtune {

enum class RunEnd { kDone, kCampaignFailed, kStopped, kFailed };

// The thread of Runtime::run().
class EmbeddedRun : public RuntimeWatcher {
 public:
  // All must outlive it. The runtime's core works on these `campaigns` alone, at least one. Local
  // workers end with it; without them (nullptr) the workers are those of other machines, which
  // stay: they are told nothing, train on and wait for the next command.
  EmbeddedRun(Runtime& runtime, std::size_t campaigns, LocalWorkers* workers,
              CommandSignals& signals)
      : runtime_(runtime), campaigns_(campaigns), workers_(workers), signals_(signals) {}

  std::vector<int> descriptors() override;
  void readable(int descriptor, const Now& now) override;
  bool watch(const Snapshot& snapshot, const Now& now) override;

  // After run(): how it ended, and why if it did not end well.
  RunEnd end() const { return end_.value_or(RunEnd::kFailed); }
  const std::string& reason() const { return reason_; }

 private:
  void stop(RunEnd end, std::string reason, const Now& now);
  void signalled(const Now& now);
  void look_at(const CampaignView& view, const Now& now);
  void look_at_local_workers(const CampaignView& view, const Now& now);
  bool all_gone(const Snapshot& snapshot, const Now& now);

  Runtime& runtime_;
  std::size_t campaigns_;
  LocalWorkers* workers_;
  CommandSignals& signals_;
  ProgressDisplay display_;
  std::optional<RunEnd> end_;  // since the run is being ended
  std::string reason_;
  std::optional<SteadyTime> waiting_since_;  // nothing runs, although every worker is there
  bool killed_ = false;
  SteadyTime kill_at_{};  // workers that have not left by then are killed
};

}  // namespace lrtune
