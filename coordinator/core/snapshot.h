// An immutable picture of the core for people: progress display, later the dashboard. A plain
// value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/records.h"

namespace lrtune {

struct RunningTrial {
  TrialId trial;
  std::int64_t number = 0;
  std::string policy;  // its name, if it has one, and describe()
  std::string worker;
  Attempt attempt = 0;
  std::int64_t iteration = 0;
  std::int64_t iterations = 0;
  std::optional<double> top1;  // newest of the evaluated part
};

// Ten thousand, each with its policy in words, would take longer than the work of a turn.
inline constexpr std::size_t kRunningListed = 100;

struct CampaignView {
  CampaignId id;
  std::string name;
  CampaignState state = CampaignState::kSurveying;
  std::string failure;
  bool paused = false;
  std::int64_t trials = 0;  // made so far
  std::int64_t done = 0;    // finished in any way
  std::int64_t diverged = 0;
  std::int64_t failed = 0;
  std::int64_t reused = 0;  // done without a step, since an equal job was already done
  // Of its stage jobs, each once, whoever trained it; verification included once it is known.
  std::int64_t iterations_total = 0;
  std::int64_t iterations_done = 0;   // of them, running ones included
  std::int64_t iterations_asked = 0;  // by its trials, each alone: more, where they share stages
  // What `trials` and `iterations_total` may come to while a search by results goes on, at most;
  // else as they are.
  std::int64_t trials_most = 0;
  std::int64_t iterations_most = 0;
  std::optional<double> best_top1;
  TrialId best_trial;
  std::string waiting_for;  // why nothing runs, e.g. "no worker offers cuda"; empty if all is well
  std::vector<RunningTrial> running;  // the first kRunningListed
  std::int64_t more_running = 0;      // and so many more
};

// What belongs together: campaign, trial, its stage job and that job's newest attempt. 0: none.
struct WorkIds {
  CampaignId campaign;
  TrialId trial;
  JobId job;
  Attempt attempt = 0;
};

// Of all campaigns of the store. Cost: proportional to the campaigns and the running trials.
struct WorkCounts {
  std::map<CampaignState, std::int64_t> campaigns;
  std::map<TrialState, std::int64_t> trials;
  std::int64_t queued_jobs = 0;  // one that two campaigns share is counted twice
};

struct Snapshot {
  std::vector<CampaignView> campaigns;  // unfinished ones and those that ended since the start
  WorkCounts counts;
  int workers = 0;
  int slots = 0;
  int busy_slots = 0;
  bool stopping = false;
  bool stopped = false;  // stop was requested and every worker is gone
};

}  // namespace lrtune
