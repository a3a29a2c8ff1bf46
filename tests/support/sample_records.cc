// sample_records() of record_model.h: a campaign as the core would write it.
#include <string>

#include "common/state_name.h"
#include "tests/support/record_model.h"

namespace lrtune {
namespace {

constexpr std::int64_t kIterations = 2000;
constexpr std::int64_t kEvery = 500;

LrFunction cyclic(LrFunctionKind kind, double k0, double k1, std::int64_t l) {
  LrFunction function;
  function.kind = kind;
  function.k0 = k0;
  function.k1 = k1;
  function.l = l;
  return function;
}

std::vector<Policy> policies() {
  std::vector<Policy> list;
  for (const double rate : {0.1, 0.01, 0.001})
    list.push_back({{Segment{cyclic(LrFunctionKind::kFix, rate, 0, 0)}}});
  list.push_back({{Segment{cyclic(LrFunctionKind::kSin2, 0.01, 0.06, 500)}}});
  list.push_back({{Segment{cyclic(LrFunctionKind::kCos, 0.01, 0.06, 500)}}});
  list.push_back({{Segment{cyclic(LrFunctionKind::kTri, 0.01, 0.06, 500), 1500},
                   Segment{cyclic(LrFunctionKind::kFix, 0.001, 0, 0)}}});
  list.push_back({{Segment{cyclic(LrFunctionKind::kFix, 5, 0, 0)}}});  // diverges
  list.push_back(
      {{Segment{cyclic(LrFunctionKind::kFix, 0.02, 0, 0)}}});  // its worker dies three times
  return list;
}

TrainingIdentity identity() {
  TrainingIdentity identity;
  identity.train.dataset = {"mnist", "/data/mnist"};
  identity.train.model = "lenet";
  identity.train.optimizer = {"momentum", MomentumStyle::kPaper, 0.9, 5e-4};
  identity.train.batch = 100;
  identity.data = {sha256("mnist"), 60000, 0, 10000, 10};
  identity.numerics = {"libtorch 2.15.0", "cpu", "AVX2", 1, "channels_last"};
  return identity;
}

class Sample {
 public:
  std::vector<Record> records;

  void begin() {
    write_campaign(CampaignState::kSearching, 0);
    records.emplace_back(IdentityRecord{identity_.hash(), identity_});
    decide({}, "created", {{"method", "list"}, {"trials", 8}});
  }

  // `quality` in 0..1 makes the metrics; the trial's number is its place.
  void add_trial(TrialPhase phase, TrialId verifies, std::uint32_t repeat, const Policy& policy) {
    TrialRecord trial;
    trial.id.value = trial.number = static_cast<std::int64_t>(trials_.size()) + 1;
    --trial.number;
    trial.campaign.value = 1;
    trial.phase = phase;
    trial.verifies = verifies;
    trial.repeat = repeat;
    trial.seed = 1000 + repeat;
    trial.identity = identity_.hash();
    trial.policy = policy;
    trial.plan = {kIterations, kEvery, Part::kTest, 10000, Target{Measure::kTop1, 0.97}, false};
    trial.job.value = trial.id.value;
    trials_.push_back(trial);
    records.emplace_back(trial);
    const Digest start = initial_state(trial.identity, trial.seed);
    records.emplace_back(JobRecord{trial.job,
                                   sha256(std::to_string(trial.id.value)),
                                   start,
                                   state_after(start, policy, 0, kIterations),
                                   JobState::kPending,
                                   0,
                                   0,
                                   "",
                                   {}});
  }

  void finish(std::int64_t number, OutcomeKind kind, std::int64_t end, double quality) {
    TrialRecord& trial = trials_.at(static_cast<std::size_t>(number));
    JobRecord job = job_of(trial);
    job.attempt = kind == OutcomeKind::kFailed ? 3 : 1;
    job.deaths = kind == OutcomeKind::kFailed ? 3 : 0;
    job.worker = "local/0";
    decide(trial.id, "assigned",
           {{"job", job.id.value}, {"attempt", job.attempt}, {"worker", job.worker}});
    Digest state = job.from_state;
    std::int64_t at = 0;
    for (std::int64_t t = 0; t < end + (kind == OutcomeKind::kCompleted ? 1 : 0); t += kEvery) {
      state = state_after(state, trial.policy, at, t);
      at = t;
      add_point(trial, t, state, quality);
    }
    job.outcome = Outcome{kind, end, state_after(state, trial.policy, at, end),
                          kind == OutcomeKind::kCompleted ? "" : "the loss was not finite"};
    job.state = kind == OutcomeKind::kDiverged ? JobState::kDiverged
                : kind == OutcomeKind::kFailed ? JobState::kFailed
                                               : JobState::kDone;
    trial.state = kind == OutcomeKind::kDiverged ? TrialState::kDiverged
                  : kind == OutcomeKind::kFailed ? TrialState::kFailed
                                                 : TrialState::kDone;
    records.emplace_back(job);
    records.emplace_back(trial);
    decide(trial.id, std::string(name_of(kind)), {{"job", job.id.value}, {"iteration", end}});
  }

  void rank(TrialPhase phase, const std::vector<std::int64_t>& trials) {
    for (std::size_t i = 0; i < trials.size(); ++i) {
      records.emplace_back(RankingRecord{
          CampaignId{1}, phase, static_cast<int>(i) + 1, TrialId{trials[i]}, {{"top1", 0.99}}});
    }
  }

  void end() {
    decide({}, "done", {{"trials", trials_.size()}});
    write_campaign(CampaignState::kDone, 1'700'000'200'000);
  }

 private:
  void write_campaign(CampaignState state, WallMillis ended) {
    records.emplace_back(CampaignRecord{CampaignId{1}, "mnist-lenet", sha256("experiment"),
                                        nlohmann::json{{"name", "mnist-lenet"}, {"seed", 7}}, state,
                                        "", 1'700'000'000'000, ended, ended == 0 ? 0 : 200.25});
  }

  void decide(TrialId trial, const std::string& code, const nlohmann::json& numbers) {
    records.emplace_back(
        DecisionRecord{CampaignId{1}, trial, 1'700'000'000'000 + ++clock_, code, numbers});
  }

  JobRecord job_of(const TrialRecord& trial) const {
    for (const Record& record : records) {
      const auto* job = std::get_if<JobRecord>(&record);
      if (job != nullptr && job->id == trial.job) return *job;
    }
    return {};
  }

  void add_point(const TrialRecord& trial, std::int64_t t, const Digest& state, double quality) {
    const double progress = static_cast<double>(t) / static_cast<double>(kIterations);
    const double top1 = 0.1 + (quality - 0.1) * progress;
    MetricPoint point{t,
                      state,
                      learning_rate(trial.policy, t),
                      {1 - top1, top1 + 0.003, 1},
                      {1.05 - top1, top1, 0.999},
                      60 * progress,
                      2 * progress};
    records.emplace_back(PointRecord{trial.job, 1, Part::kTest, trial.plan.train_subset, point});
  }

  TrainingIdentity identity_ = identity();
  std::vector<TrialRecord> trials_;
  WallMillis clock_ = 0;
};

}  // namespace

std::vector<Record> sample_records() {
  Sample sample;
  sample.begin();
  const std::vector<Policy> all = policies();
  for (const Policy& policy : all) sample.add_trial(TrialPhase::kSearch, {}, 0, policy);
  const double qualities[] = {0.1135, 0.9711, 0.9512, 0.9833, 0.9832, 0.9815};
  for (std::int64_t i = 0; i < 6; ++i)
    sample.finish(i, OutcomeKind::kCompleted, kIterations, qualities[i]);
  sample.finish(6, OutcomeKind::kDiverged, 37, 0.1);
  sample.finish(7, OutcomeKind::kFailed, 0, 0.1);
  sample.rank(TrialPhase::kSearch, {4, 5, 6, 2, 3, 1, 7, 8});
  for (std::uint32_t repeat = 1; repeat <= 2; ++repeat) {
    sample.add_trial(TrialPhase::kVerify, TrialId{4}, repeat, all[3]);
    sample.add_trial(TrialPhase::kVerify, TrialId{5}, repeat, all[4]);
  }
  sample.finish(8, OutcomeKind::kCompleted, kIterations, 0.9829);
  sample.finish(9, OutcomeKind::kCompleted, kIterations, 0.9836);
  sample.finish(10, OutcomeKind::kCompleted, kIterations, 0.9825);
  sample.finish(11, OutcomeKind::kCompleted, kIterations, 0.9834);
  sample.rank(TrialPhase::kVerify, {5, 4});
  sample.end();
  return sample.records;
}

}  // namespace lrtune
