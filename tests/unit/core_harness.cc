#include "tests/unit/core_harness.h"

#include <map>

namespace lrtune {

StoredState KeptRecords::state() const {
  std::map<CampaignId, CampaignRecord> campaigns;
  std::map<Digest, IdentityRecord> identities;
  std::map<TrialId, TrialRecord> trials;
  std::map<JobId, JobRecord> jobs;
  std::map<std::string, WorkerOrderRecord> orders;
  StoredState stored;
  for (const Record& record : all) {
    if (const auto* campaign = std::get_if<CampaignRecord>(&record))
      campaigns[campaign->id] = *campaign;
    if (const auto* identity = std::get_if<IdentityRecord>(&record))
      identities[identity->hash] = *identity;
    if (const auto* trial = std::get_if<TrialRecord>(&record)) trials[trial->id] = *trial;
    if (const auto* job = std::get_if<JobRecord>(&record)) jobs[job->id] = *job;
    if (const auto* point = std::get_if<PointRecord>(&record)) stored.points.push_back(*point);
    if (const auto* decision = std::get_if<DecisionRecord>(&record)) {
      for (const char* code : {"proposed", "promoted", "observed", "weighed", "stopped_early"}) {
        if (decision->code == code) stored.search_log.push_back(*decision);
      }
    }
    if (const auto* order = std::get_if<WorkerOrderRecord>(&record)) orders[order->worker] = *order;
  }
  for (auto& [id, record] : campaigns) stored.campaigns.push_back(std::move(record));
  for (auto& [hash, record] : identities) stored.identities.push_back(std::move(record));
  for (auto& [id, record] : trials) stored.trials.push_back(std::move(record));
  for (auto& [id, record] : jobs) stored.jobs.push_back(std::move(record));
  for (auto& [worker, order] : orders) {
    if (order.order != WorkerOrder::kAdmit) stored.orders.push_back(std::move(order));
  }
  return stored;
}

std::vector<RankingRecord> KeptRecords::rankings() const {
  std::map<std::pair<TrialPhase, int>, RankingRecord> newest;
  for (const RankingRecord& row : of<RankingRecord>()) {
    if (row.rank <= 1)
      std::erase_if(newest, [&](const auto& entry) { return entry.first.first == row.phase; });
    if (row.rank > 0) newest[{row.phase, row.rank}] = row;
  }
  std::vector<RankingRecord> rows;
  for (auto& [place, row] : newest) rows.push_back(std::move(row));
  return rows;
}

std::vector<std::string> KeptRecords::codes(std::int64_t trial) const {
  std::vector<std::string> codes;
  for (const DecisionRecord& decision : of<DecisionRecord>()) {
    if (decision.trial.value == trial) codes.push_back(decision.code);
  }
  return codes;
}

Now CoreHarness::now() const { return {SteadyTime(std::chrono::milliseconds(now_ms_)), now_ms_}; }

Numerics CoreHarness::numerics() { return {"test 1", "cpu", "AVX2", 4, "channels_last"}; }

void CoreHarness::restart() {
  CoreOptions options;
  options.incarnation = std::to_string(now_ms_);
  if (only_) options.only_campaigns = {*only_};
  core_.emplace(options, kept_.state(), now());
  sends_.clear();
}

Actions CoreHarness::step(const Event& event) {
  last_ = core_->step(event, now());
  core_->check_invariants();
  kept_.all.insert(kept_.all.end(), last_.records.begin(), last_.records.end());
  sends_.insert(sends_.end(), last_.sends.begin(), last_.sends.end());
  return last_;
}

void CoreHarness::advance(std::int64_t milliseconds) {
  for (std::int64_t end = now_ms_ + milliseconds; now_ms_ < end;) {
    now_ms_ += 1000;
    step(event::Ticked{});
  }
}

void CoreHarness::stall(std::int64_t milliseconds) {
  now_ms_ += milliseconds;
  step(event::Ticked{});
}

void CoreHarness::hello(const std::string& worker, std::vector<wire::HeldAttempt> held, int slots) {
  say(worker, wire::Hello{worker, worker + "-process", slots, numerics(), std::move(held)});
}

void CoreHarness::say(const std::string& worker, wire::ToCoordinator message) {
  step(event::Received{worker, std::move(message)});
}

void CoreHarness::answer_survey(const std::string& worker) {
  for (const Send& send : std::vector<Send>(sends_)) {
    const auto* survey = std::get_if<wire::Survey>(&send.message);
    if (survey == nullptr || send.peer != worker) continue;
    DataFacts facts;
    facts.fingerprint = sha256("data");
    facts.train_samples = 1000;
    facts.validation_samples = 100;
    facts.test_samples = 100;
    facts.classes = 10;
    say(worker, wire::Surveyed{survey->survey, facts, ""});
  }
}

std::optional<wire::Assign> CoreHarness::assignment(const std::string& worker) const {
  for (auto it = sends_.rbegin(); it != sends_.rend(); ++it) {
    if (it->peer != worker) continue;
    if (const auto* assign = std::get_if<wire::Assign>(&it->message)) return *assign;
  }
  return std::nullopt;
}

std::vector<wire::Assign> CoreHarness::assignments(const std::string& worker) const {
  std::vector<wire::Assign> found;
  for (const Send& send : sends_) {
    const auto* assign = std::get_if<wire::Assign>(&send.message);
    if (assign != nullptr && send.peer == worker) found.push_back(*assign);
  }
  return found;
}

wire::Measured CoreHarness::measured(const wire::Assign& job, std::int64_t sequence,
                                     std::int64_t iteration, double top1) const {
  MetricPoint point;
  point.iteration = iteration;
  point.state = state_after(initial_state(job.identity.hash(), job.seed), job.policy, 0, iteration);
  point.evaluated = {1 - top1, top1, 1};
  point.train = {1 - top1, top1, 1};
  point.train_seconds = static_cast<double>(iteration);
  return {job.job, job.attempt, sequence, point};
}

wire::Finished CoreHarness::finished(const wire::Assign& job, std::int64_t sequence,
                                     OutcomeKind kind) const {
  Outcome outcome;
  outcome.kind = kind;
  outcome.iteration = job.plan.iterations;
  outcome.state =
      state_after(initial_state(job.identity.hash(), job.seed), job.policy, 0, job.plan.iterations);
  return {job.job, job.attempt, sequence, outcome};
}

void CoreHarness::run(const std::string& worker, const wire::Assign& job, double top1,
                      OutcomeKind kind) {
  say(worker, wire::Started{job.job, job.attempt});
  say(worker, measured(job, 1, 0, 0.1));
  say(worker, measured(job, 2, job.plan.iterations, top1));
  say(worker, finished(job, 3, kind));
}

}  // namespace lrtune
