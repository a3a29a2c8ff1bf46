// Random records: RecordSource of record_model.h.
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "tests/support/record_model.h"

namespace lrtune {

std::int64_t RecordSource::below(std::int64_t limit) {
  return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
}

double RecordSource::number() {
  while (true) {
    const double value = std::bit_cast<double>(random_());
    if (std::isfinite(value)) return value;
  }
}

Digest RecordSource::digest() {
  Digest digest;
  for (std::uint8_t& byte : digest.bytes) byte = static_cast<std::uint8_t>(random_());
  return digest;
}

std::string RecordSource::text() {
  static const std::vector<std::string> kTexts = {"",
                                                  "node7/0",
                                                  "it's \"quoted\"; DROP TABLE trial; --",
                                                  "Übung 学習率 🙂",
                                                  "line\nbreak\ttab",
                                                  std::string("a\0b", 3)};
  return kTexts[static_cast<std::size_t>(below(static_cast<std::int64_t>(kTexts.size())))];
}

Policy RecordSource::policy() {
  LrFunction function;
  function.kind = LrFunctionKind::kSin2;
  function.k0 = static_cast<double>(below(4) + 1) / 30;  // few policies, so that trials share them
  function.k1 = 0.7;
  function.l = 1 + below(3);
  return {{Segment{function}}};
}

Record RecordSource::campaign(std::int64_t id) {
  CampaignRecord record;
  record.id.value = id;
  record.name = text();
  record.hash = sha256("campaign " + std::to_string(id));
  record.experiment = {{"name", record.name}, {"number", number()}, {"seed", random_()}};
  record.state = static_cast<CampaignState>(below(7));
  record.failure = text();
  record.created_at = below(std::numeric_limits<std::int64_t>::max());
  record.ended_at = below(2);
  record.busy_seconds = number();
  record.priority = static_cast<int>(below(7)) - 3;
  record.paused = below(2) == 1;
  record.extensions = static_cast<int>(below(3));
  return record;
}

Record RecordSource::identity() {
  TrainingIdentity identity;
  identity.train.dataset = {"mnist", text()};
  identity.train.model.name = "lenet";
  identity.train.batch = 1 + below(1000);
  identity.train.optimizer = {"momentum", MomentumStyle::kTorch, 0.9, 0.0005};
  identity.data = {digest(), 60000, 0, 10000, 10};
  identity.numerics = {"libtorch 2.15.0", "cpu", "AVX2", 1, "channels_last"};
  const Digest hash = identity.hash();
  identities_.push_back(hash);
  return IdentityRecord{hash, identity};
}

PartMetrics RecordSource::metrics() {
  PartMetrics metrics{number(), number(), number(), {}};
  if (below(2) == 1)
    metrics.confidence = {number(), number(), number(), static_cast<int>(below(11))};
  return metrics;
}

Record RecordSource::trial(std::int64_t id) {
  TrialRecord record;
  record.id.value = id;
  record.campaign.value = 1 + below(campaigns_);
  record.number = id;
  record.phase = static_cast<TrialPhase>(below(3));
  record.scale = record.phase == TrialPhase::kTolerance ? 0.5 : 1;
  record.verifies.value = below(id);  // 0 ... id - 1
  record.repeat = static_cast<std::uint32_t>(random_());
  record.seed = random_() >> 1;
  record.identity =
      identities_[static_cast<std::size_t>(below(static_cast<std::int64_t>(identities_.size())))];
  record.policy = policy();
  record.plan = {1 + below(1000), 1 + below(100), static_cast<Part>(1 + below(2)), below(1000), {},
                 below(2) == 1};
  if (below(2) == 1) record.plan.target = Target{static_cast<Measure>(below(2)), number()};
  if (below(2) == 1) record.plan.max_seconds = static_cast<double>(1 + below(1000)) / 8;
  if (below(2) == 1) record.plan.m_opt_every = kLeastMoptInterval + below(100);
  record.job.value = below(jobs_ + 1);
  record.state = static_cast<TrialState>(below(7));
  return record;
}

Record RecordSource::job(std::int64_t id) {
  JobRecord record{JobId{id},  digest(), digest(), digest(), static_cast<JobState>(below(6)),
                   below(100), 0,        text(),   {},       {},
                   0,          0};
  record.iterations = below(1000);
  if (below(2) == 1) {
    record.after.value = 1 + below(jobs_ + 1);
    record.from_iteration = 1 + below(1000);
    record.iterations += record.from_iteration;
  }
  record.deaths = static_cast<int>(below(4));
  if (below(2) == 1) {
    constexpr std::array kKept = {OutcomeKind::kCompleted, OutcomeKind::kTargetReached,
                                  OutcomeKind::kDiverged,  OutcomeKind::kFailed,
                                  OutcomeKind::kStopped,   OutcomeKind::kTimeLimit};
    const OutcomeKind kind = kKept[static_cast<std::size_t>(below(std::ssize(kKept)))];
    record.outcome = Outcome{kind, below(100000), digest(), text()};
    if (below(3) == 0) record.outcome->realised = policy();
  }
  return record;
}

Record RecordSource::point() {
  ++points_;
  PointRecord record;
  record.job.value = 1 + below(jobs_);
  record.attempt = below(3);
  record.evaluated_on = static_cast<Part>(1 + below(2));
  record.train_subset = below(2) * 10000;
  record.point = {points_, digest(), number(), metrics(), metrics(), number(), number()};
  for (std::int64_t i = below(4); i > 0; --i) {
    MoptValue value{points_ - i, number(), {}};
    if (below(4) > 0) value.m_opt = number();
    if (value.iteration >= 0) record.point.m_opt.push_back(value);
  }
  return record;
}

Record RecordSource::worker_order() {
  return WorkerOrderRecord{text(), static_cast<WorkerOrder>(below(3)), below(1000), text()};
}

Record RecordSource::any() {
  switch (below(11)) {
    case 0:
      return campaign(1 + below(campaigns_));
    case 1:
      return identity();
    case 2:
      return job(++jobs_);
    case 3:
      return job(1 + below(jobs_));
    case 4:
    case 5:
      return trial(1 + below(trials_));
    case 6:
      return DecisionRecord{CampaignId{1 + below(campaigns_)}, TrialId{below(trials_ + 1)},
                            below(1000), "assigned",
                            nlohmann::json{{"rate", number()}, {"worker", text()}}};
    case 7:
      return RankingRecord{CampaignId{1 + below(campaigns_)}, static_cast<TrialPhase>(below(2)),
                           1 + static_cast<int>(below(5)), TrialId{1 + below(trials_)},
                           nlohmann::json{{"top1", number()}}};
    case 8:
      return worker_order();
    default:
      return point();
  }
}

std::vector<Record> RecordSource::turn() {
  std::vector<Record> records;
  if (trials_ == 0 || below(8) == 0) {
    // A turn may write a row before the row that it refers to.
    if (campaigns_ == 0) {
      records.push_back(campaign(++campaigns_));
      records.push_back(identity());
    }
    ++jobs_;
    records.push_back(trial(++trials_));
    records.push_back(job(jobs_));
    if (below(3) == 0) records.push_back(campaign(++campaigns_));
  }
  const std::int64_t more = below(8);
  for (std::int64_t i = 0; i < more; ++i) records.push_back(any());
  if (records.empty()) records.push_back(any());
  return records;
}

}  // namespace lrtune
