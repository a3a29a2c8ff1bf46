// What must hold when all campaigns of a simulation have ended.
#include <algorithm>
#include <map>

#include "coordinator/core/campaign_replay.h"
#include "tests/support/sim/sim_cluster.h"

namespace lrtune::sim {
namespace {

// A worker whose thread hangs is given 30 s, and then some to start again.
constexpr Duration kSettle{60'000'000};
constexpr Duration kQuiet{20'000'000};

bool poisonous(const Scenario& scenario, const Policy& policy) {
  const double k0 = first_function(policy).k0;
  return std::find(scenario.poison.begin(), scenario.poison.end(), k0) != scenario.poison.end();
}

}  // namespace

void SimCluster::check_end() const {
  acknowledged_.check(store_);
  for (const auto& [id, trial] : store_.trials()) {
    require(trial.state > TrialState::kRunning, fmt::format("trial {} ended", id.value));
    const bool given_up =
        trial.state == TrialState::kCancelled || trial.state == TrialState::kStopped;
    if (!given_up) check_job(trial);
  }
  for (const Experiment* experiment : scenario_.experiments) {
    const CampaignRecord* campaign = store_.campaign(experiment->hash);
    if (is_cancelled(*experiment)) continue;
    std::int64_t searched = 0;
    for (const auto& [id, trial] : store_.trials()) {
      searched += trial.campaign == campaign->id && trial.phase == TrialPhase::kSearch;
    }
    const auto ranked = store_.ranking(campaign->id, TrialPhase::kSearch);
    require(static_cast<std::int64_t>(ranked.size()) == searched, "every search trial is ranked");
    if (!scenario_.poison.empty()) continue;
    const bool grows = experiment == scenario_.experiments.front();
    check_replay(campaign->id);
    // What asynchronous searches find and stop rules end depends on the order of results.
    if (experiment->method == SearchMethod::kAsha || experiment->method == SearchMethod::kTpe ||
        experiment->stop.any())
      continue;
    require(ranking_of(store_, experiment->hash) ==
                reference_ranking(*experiment, grows ? scenario_.further_policies : ""),
            "the ranking is that of a run without faults");
  }
}

// All that the search decided follows from what it knew.
void SimCluster::check_replay(CampaignId campaign) const {
  const auto replayed = replay_campaign(store_.campaign_history(campaign));
  require(replayed.has_value(), "the search can be replayed");
  require(replayed->difference.empty(),
          [&] { return "the search is the same when replayed, but " + replayed->difference; });
}

// The store has exactly what an undisturbed run reports: nothing lost, nothing twice.
void SimCluster::check_job(const TrialRecord& trial) const {
  const JobRecord& job = *store_.job(trial.job);
  const std::string name = fmt::format("job {}", job.id.value);
  const SimRun run = simulated_run(store_.identities().at(trial.identity).identity, trial.policy,
                                   trial.seed, trial.plan);
  // One whose target is met before the first iteration ends before it can kill anybody.
  if (poisonous(scenario_, trial.policy) && run.outcome.iteration > 0) {
    const bool itself = job.deaths == scenario_.core.max_deaths;
    const bool beginning = job.after && store_.job(job.after)->state == JobState::kFailed;
    require(job.state == JobState::kFailed && (itself || beginning),
            name + " is poisonous and failed after as many deaths as allowed");
    return;
  }
  require(job.outcome == run.outcome, name + " ended as an undisturbed run does");
  require(store_.points(job.id, job.attempt) == run.points,
          name + " has the points of an undisturbed run");
  if (scenario_.family == Family::kNoFaults) {
    require(job.attempt == 1 && job.deaths == 0, name + " was trained once");
  }
  // However long the coordinator stands still or is away, it takes no living worker for dead.
  if (scenario_.family == Family::kFailedCommits ||
      scenario_.family == Family::kCoordinatorCrashes) {
    require(job.deaths == 0, name + " lost no worker");
  }
}

// After the end only heartbeats flow.
void SimCluster::check_quiet() {
  ended_at_ = loop_.now();
  const auto run_for = [this](Duration length) {
    const Duration end = loop_.now() + length;
    while (loop_.now() < end && loop_.run_one()) continue;
  };
  run_for(kSettle);
  const std::int64_t messages = network_.messages_but_heartbeats();
  run_for(kQuiet);
  require(network_.messages_but_heartbeats() == messages,
          fmt::format("{} messages after the end, none was needed",
                      network_.messages_but_heartbeats() - messages));
  const Snapshot snapshot = coordinator_.snapshot();
  require(snapshot.busy_slots == 0, "no slot is busy after the end");
  require(snapshot.workers == static_cast<int>(workers_.size()), "every worker is known");
}

std::vector<ReferenceRow> ranking_of(const SimStore& store, const Digest& experiment) {
  std::vector<ReferenceRow> rows;
  const CampaignRecord* campaign = store.campaign(experiment);
  for (const TrialPhase phase : {TrialPhase::kSearch, TrialPhase::kVerify}) {
    for (const RankingRecord& row : store.ranking(campaign->id, phase)) {
      rows.push_back({phase, store.trials().at(row.trial).number, row.scores});
    }
  }
  return rows;
}

const std::vector<ReferenceRow>& reference_ranking(const Experiment& experiment,
                                                   const std::string& further_policies) {
  static std::map<std::pair<Digest, std::string>, std::vector<ReferenceRow>> known;
  const auto key = std::pair(experiment.hash, further_policies);
  if (const auto it = known.find(key); it != known.end()) return it->second;
  Scenario scenario;
  scenario.seed = 1;
  scenario.family = has_rungs(experiment.method) ? Family::kSearches : Family::kNoFaults;
  scenario.experiments = {&experiment};
  scenario.slots = {1};
  scenario.iteration_time = Duration(1'000);
  scenario.core.max_deaths = 3;
  scenario.deadline = Duration(1'000'000'000);
  scenario.further_policies = further_policies;
  auto& rows = known[key];
  SimCluster cluster(scenario, 0);
  cluster.run_plainly();
  rows = ranking_of(cluster.store(), experiment.hash);
  return rows;
}

}  // namespace lrtune::sim
