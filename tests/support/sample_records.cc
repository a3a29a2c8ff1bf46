// sample_records() of record_model.h: a campaign as the core would write it.
#include <algorithm>
#include <map>
#include <string>

#include "common/state_name.h"
#include "coordinator/ranking/ranking.h"
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
  identity.train.model.name = "lenet";
  identity.train.optimizer = {"momentum", MomentumStyle::kPaper, 0.9, 5e-4};
  identity.train.batch = 100;
  identity.data = {sha256("mnist"), 60000, 0, 10000, 10};
  identity.numerics = {"libtorch 2.15.0", "cpu", "AVX2", 1, "channels_last"};
  return identity;
}

// How a trial's metrics run: top-1 rises from 0.1 to `top1`, which it reaches at iteration `at`.
// All start alike, since the search's trials share their first state.
struct Curve {
  double top1;
  std::int64_t at;
  double gap;  // evaluated loss minus train loss
};

MetricPoint point_at(const Policy& policy, std::int64_t t, const Digest& state,
                     const Curve& curve) {
  const double risen = std::min(1.0, static_cast<double>(t) / static_cast<double>(curve.at));
  const double top1 = 0.1 + (curve.top1 - 0.1) * risen;
  const auto iteration = static_cast<double>(t);
  return {t,
          state,
          learning_rate(policy, t),
          {1 - top1, top1 + 0.003, 1, {}},
          {1 - top1 + curve.gap * risen, top1, 0.999,
           Confidence{0.5 + 0.4 * top1, 0.2 - 0.1 * risen, 0.05 * risen, risen > 0 ? 0 : 9}},
          iteration * 0.03,
          iteration * 0.001};
}

std::string message_of(OutcomeKind kind) {
  if (kind == OutcomeKind::kDiverged) return "the loss was not finite";
  return kind == OutcomeKind::kFailed ? "3 attempts ended with their worker's death" : "";
}

JobState job_state_of(OutcomeKind kind) {
  if (kind == OutcomeKind::kDiverged) return JobState::kDiverged;
  return kind == OutcomeKind::kFailed ? JobState::kFailed : JobState::kDone;
}

TrialState trial_state_of(OutcomeKind kind) {
  if (kind == OutcomeKind::kDiverged) return TrialState::kDiverged;
  return kind == OutcomeKind::kFailed ? TrialState::kFailed : TrialState::kDone;
}

class Sample {
 public:
  std::vector<Record> records;

  void begin() {
    write_campaign(CampaignState::kSearching, 0);
    records.emplace_back(IdentityRecord{identity_.hash(), identity_});
    decide({}, "created", {{"method", "list"}, {"candidates", 8}, {"seed", 7}});
  }

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
                                   {},
                                   {},
                                   0,
                                   kIterations});
  }

  void finish(std::int64_t number, OutcomeKind kind, std::int64_t end, const Curve& curve) {
    TrialRecord& trial = trials_.at(static_cast<std::size_t>(number));
    JobRecord job = job_of(trial);
    job.attempt = kind == OutcomeKind::kFailed ? 3 : 1;
    job.deaths = kind == OutcomeKind::kFailed ? 3 : 0;
    job.worker = "local/0";
    decide(trial.id, "assigned",
           {{"job", job.id.value}, {"attempt", job.attempt}, {"worker", job.worker}});
    std::vector<MetricPoint> points;
    Digest state = job.from_state;
    const std::int64_t measured = kind == OutcomeKind::kCompleted ? end + 1 : end;
    for (std::int64_t t = 0; t < measured; t += kEvery) {
      state = state_after(state, trial.policy, std::max<std::int64_t>(0, t - kEvery), t);
      points.push_back(point_at(trial.policy, t, state, curve));
      records.emplace_back(
          PointRecord{trial.job, 1, Part::kTest, trial.plan.train_subset, points.back()});
    }
    job.outcome =
        Outcome{kind, end, state_after(job.from_state, trial.policy, 0, end), message_of(kind)};
    job.state = job_state_of(kind);
    trial.state = trial_state_of(kind);
    records.emplace_back(job);
    records.emplace_back(trial);
    scores_.push_back(score(points, kind, trial.plan.target));
    nlohmann::json numbers = to_json(scores_.back(), RankAt::kBest);
    numbers.update({{"job", job.id.value}, {"iteration", end}, {"message", job.outcome->message}});
    decide(trial.id, std::string(name_of(kind)), numbers);
  }

  void rank_search() {
    const std::vector<std::size_t> order = rank(scores_, RankBy::kTop1, RankAt::kBest);
    for (std::size_t place = 0; place < order.size(); ++place) {
      add_rank(TrialPhase::kSearch, place, order.size(), trials_[order[place]].id,
               to_json(scores_[order[place]], RankAt::kBest));
    }
  }

  // Of the trials from number `first` on.
  void rank_verification(std::size_t first) {
    std::map<TrialId, std::vector<Scores>> repeats;
    for (std::size_t i = first; i < trials_.size(); ++i)
      repeats[trials_[i].verifies].push_back(scores_[i]);
    std::vector<TrialId> ids;
    std::vector<RepeatedScores> combined;
    for (const auto& [id, scores] : repeats) {
      ids.push_back(id);
      combined.push_back(combine(scores, RankAt::kBest));
    }
    const std::vector<std::size_t> order = rank_repeated(combined, RankBy::kTop1);
    for (std::size_t place = 0; place < order.size(); ++place) {
      add_rank(TrialPhase::kVerify, place, order.size(), ids[order[place]],
               to_json(combined[order[place]]));
    }
  }

  void order_workers() {
    order("node2/0", WorkerOrder::kDrain, "");
    order("node1/0", WorkerOrder::kDrain, "its fan is loud");
    order("node3/0", WorkerOrder::kBan, "wrong driver");
    order("node1/0", WorkerOrder::kAdmit, "");
  }

  void end() {
    decide({}, "done",
           {{"trials", 12}, {"done", 10}, {"diverged", 1}, {"failed", 1}, {"reused", 0}});
    write_campaign(CampaignState::kDone, 1'700'000'200'000);
  }

 private:
  void write_campaign(CampaignState state, WallMillis ended) {
    const nlohmann::json experiment = {{"name", "mnist-lenet"}, {"seed", 7}};
    records.emplace_back(CampaignRecord{CampaignId{1}, "mnist-lenet", sha256(experiment.dump()),
                                        experiment, state, "", 1'700'000'000'000, ended,
                                        ended == 0 ? 0 : 200.25,
                                        /*priority=*/2, /*paused=*/false, /*extensions=*/0});
  }

  void order(const std::string& worker, WorkerOrder order, const std::string& reason) {
    records.emplace_back(WorkerOrderRecord{worker, order, 1'700'000'100'000, reason});
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

  void add_rank(TrialPhase phase, std::size_t place, std::size_t of, TrialId trial,
                nlohmann::json numbers) {
    records.emplace_back(
        RankingRecord{CampaignId{1}, phase, static_cast<int>(place) + 1, trial, numbers});
    numbers.update({{"rank", place + 1}, {"of", of}, {"by", "top1"}});
    decide(trial, phase == TrialPhase::kSearch ? "ranked" : "verified", numbers);
  }

  TrainingIdentity identity_ = identity();
  std::vector<TrialRecord> trials_;
  std::vector<Scores> scores_;  // of the trials that ended, in order
  WallMillis clock_ = 0;
};

}  // namespace

std::vector<Record> sample_records() {
  Sample sample;
  sample.begin();
  const std::vector<Policy> all = policies();
  for (const Policy& policy : all) sample.add_trial(TrialPhase::kSearch, {}, 0, policy);
  const Curve curves[] = {{0.1135, 2000, 0.001}, {0.9711, 2000, 0.01}, {0.9512, 2000, 0.02},
                          {0.9833, 1500, 0.031}, {0.9832, 1000, 0.03}, {0.9815, 2000, 0.015}};
  for (std::int64_t i = 0; i < 6; ++i) {
    sample.finish(i, OutcomeKind::kCompleted, kIterations, curves[i]);
  }
  sample.finish(6, OutcomeKind::kDiverged, 37, {0.1, 2000, 0});
  sample.finish(7, OutcomeKind::kFailed, 0, {0.1, 2000, 0});
  sample.rank_search();
  for (std::uint32_t repeat = 1; repeat <= 2; ++repeat) {
    sample.add_trial(TrialPhase::kVerify, TrialId{4}, repeat, all[3]);
    sample.add_trial(TrialPhase::kVerify, TrialId{5}, repeat, all[4]);
  }
  sample.finish(8, OutcomeKind::kCompleted, kIterations, {0.9829, 1500, 0.033});
  sample.finish(9, OutcomeKind::kCompleted, kIterations, {0.9836, 1000, 0.029});
  sample.finish(10, OutcomeKind::kCompleted, kIterations, {0.9825, 1500, 0.032});
  sample.finish(11, OutcomeKind::kCompleted, kIterations, {0.9834, 1000, 0.028});
  sample.rank_verification(8);
  sample.order_workers();
  sample.end();
  return sample.records;
}

}  // namespace lrtune
