#include "coordinator/cli/embedded_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lrtune {
namespace {

// For workers to leave; one step of training is far shorter.
constexpr std::chrono::seconds kPatience{15};
// Local workers are all alike: what none of them can do now, none will do. Longer than one lease,
// after which a refusal is thought over once.
constexpr std::chrono::seconds kHopeless{12};

}  // namespace

std::vector<int> EmbeddedRun::descriptors() {
  std::vector<int> descriptors;
  if (workers_ != nullptr) descriptors = workers_->descriptors();
  descriptors.push_back(signals_.descriptor());
  return descriptors;
}

void EmbeddedRun::readable(int descriptor, const Now& now) {
  if (descriptor == signals_.descriptor()) return signalled(now);
  const auto standing = [this](const std::string& worker) {
    return WorkerStanding{runtime_.has_joined(worker), runtime_.has_finished(worker)};
  };
  const auto ended = workers_->ended(descriptor, now.steady, standing);
  if (!ended) return;
  // Part of what a job that is set aside says of its last attempt.
  runtime_.worker_ended(ended->worker, fmt::format("{}; {}", ended->reason, ended->log));
  if (end_) return;
  if (ended->given_up) {
    stop(RunEnd::kFailed, ended->reason, now);
    reason_ = *ended->given_up;
    return;
  }
  display_.say(fmt::format("lrtune: {}; it is started again", ended->reason));
}

void EmbeddedRun::signalled(const Now& now) {
  while (const int number = signals_.take()) {
    if (!end_) {
      display_.say(workers_ != nullptr ? "lrtune: stopping; once more kills the workers"
                                       : "lrtune: stopping; the workers train on");
      stop(RunEnd::kStopped, fmt::format("signal {}", number), now);
    } else if (workers_ != nullptr) {
      display_.say("lrtune: killing the workers");
      workers_->kill();
      killed_ = true;
    }
  }
}

void EmbeddedRun::stop(RunEnd end, std::string reason, const Now& now) {
  if (end_) return;
  end_ = end;
  reason_ = std::move(reason);
  if (workers_ == nullptr) return;
  kill_at_ = now.steady + kPatience;
  workers_->stop();
  runtime_.post(event::StopRequested{reason_});
}

bool EmbeddedRun::watch(const Snapshot& snapshot, const Now& now) {
  // The first picture may be of before they are all submitted.
  if (snapshot.campaigns.size() >= campaigns_) look_at(together(snapshot.campaigns), now);
  if (!end_ && workers_ != nullptr) {
    if (auto restarted = workers_->restart_due(now.steady); !restarted) {
      stop(RunEnd::kFailed, restarted.error().message, now);
    }
  }
  const bool over = end_ && (workers_ == nullptr || all_gone(snapshot, now));
  if (over) display_.clear();
  return !over;
}

void EmbeddedRun::look_at(const CampaignView& view, const Now& now) {
  if (!end_) display_.show(view, now.steady);
  if (view.state == CampaignState::kDone) stop(RunEnd::kDone, "all is done", now);
  if (view.state == CampaignState::kFailed) stop(RunEnd::kCampaignFailed, view.failure, now);
  if (view.state == CampaignState::kCancelled) {
    stop(RunEnd::kFailed, view.name + " was cancelled; the same command takes it up again", now);
  }
  if (workers_ != nullptr) look_at_local_workers(view, now);
}

void EmbeddedRun::look_at_local_workers(const CampaignView& view, const Now& now) {
  const std::vector<std::string> workers = workers_->running_names();
  const bool all_joined =
      !workers.empty() && std::all_of(workers.begin(), workers.end(), [this](const auto& worker) {
        return runtime_.has_joined(worker);
      });
  if (view.waiting_for.empty() || view.paused || !all_joined) {
    waiting_since_.reset();
  } else if (!waiting_since_) {
    waiting_since_ = now.steady;
  } else if (now.steady - *waiting_since_ >= kHopeless) {
    stop(RunEnd::kFailed, view.waiting_for, now);
  }
}

bool EmbeddedRun::all_gone(const Snapshot& snapshot, const Now& now) {
  for (const std::string& worker : workers_->running_names()) {
    if (!runtime_.has_joined(worker)) workers_->terminate(worker);
  }
  if (now.steady >= kill_at_) {
    workers_->kill();
    killed_ = true;
  }
  // One that left in order has handed back its jobs; what the others held, the next run takes back.
  return workers_->running() == 0 && (snapshot.stopped || killed_);
}

}  // namespace lrtune
