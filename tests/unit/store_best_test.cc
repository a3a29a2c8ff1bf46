// The best policies as the bounds find them, beside all of them ranked.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "coordinator/store/policy_queries.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

// A store in whose campaigns trials share jobs, are cancelled while their jobs go on, fail and are
// tried again. Its numbers are few, so that many are equal.
class RandomStore {
 public:
  RandomStore(std::uint64_t seed, const std::string& path)
      : random_(seed), store_(SqliteStore::open(path).value()) {
    CampaignRecord campaign;
    campaign.id = {1};
    campaign.name = "random";
    campaign.hash = sha256("random");
    campaign.experiment = nlohmann::json::object();  // names no policy
    records_.emplace_back(campaign);
    for (const char* dataset : {"mnist", "mnist", "cifar-10"}) add_identity(dataset);
  }

  void act() {
    const int trials = static_cast<int>(trials_.size());
    switch (trials == 0 ? 0 : below(7)) {
      case 0:
      case 1:
        return add_trial();
      case 2:
        return cancel(trials_[static_cast<std::size_t>(below(trials))]);
      case 3:
        return revive(jobs_[static_cast<std::size_t>(below(static_cast<int>(jobs_.size())))]);
      default:
        return run(jobs_[static_cast<std::size_t>(below(static_cast<int>(jobs_.size())))]);
    }
  }
  void commit() {
    ASSERT_TRUE(store_->commit(records_));
    records_.clear();
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<std::uint64_t>(limit)); }
  double measure() { return below(8) / 8.0; }
  bool ended(const TrialRecord& trial) { return trial.state > TrialState::kRunning; }

  void add_identity(const std::string& dataset) {
    TrainingIdentity identity;
    identity.train.dataset = {dataset, ""};
    identity.train.model.name = "lenet";
    identity.train.batch = 100 + below(1000);
    identity.train.optimizer = {"momentum", MomentumStyle::kTorch, 0.9, 0.0005};
    identity.data = {sha256(dataset), 60000, 0, 10000, 10};
    identity.numerics = {"libtorch 2.15.0", "cpu", "AVX2", 1, "channels_last"};
    identities_.push_back(identity.hash());
    records_.emplace_back(IdentityRecord{identities_.back(), identity});
  }

  void add_trial() {
    TrialRecord trial;
    trial.id.value = static_cast<std::int64_t>(trials_.size()) + 1;
    trial.campaign = {1};
    trial.number = trial.id.value;
    trial.seed = static_cast<std::uint64_t>(below(3));
    LrFunction function;
    function.k0 = 0.001 * (1 + below(12));
    trial.policy = {{Segment{function}}};
    trial.identity = identities_[static_cast<std::size_t>(below(3))];
    trial.plan.iterations = 100 * (1 + below(2));
    trial.plan.evaluate_every = 100;
    trial.plan.train_subset = 10;
    if (below(2) == 0) trial.plan.target = Target{static_cast<Measure>(below(2)), measure()};
    Job* job = nullptr;
    for (Job& other : jobs_) {
      const TrialRecord& first = trials_[other.trials.front()];
      if (first.policy == trial.policy && first.identity == trial.identity &&
          first.plan.iterations == trial.plan.iterations && below(2) == 0)
        job = &other;
    }
    if (job == nullptr) job = &add_job();
    trial.job = job->record.id;
    constexpr TrialState kStates[] = {TrialState::kWaiting,  TrialState::kRunning,
                                      TrialState::kRunning,  TrialState::kDone,
                                      TrialState::kDiverged, TrialState::kFailed};
    trial.state = kStates[static_cast<int>(job->record.state)];
    job->trials.push_back(trials_.size());
    trials_.push_back(trial);
    records_.emplace_back(trial);
  }

  struct Job {
    JobRecord record;
    std::vector<std::size_t> trials;
  };
  Job& add_job() {
    Job& job = jobs_.emplace_back();
    job.record.id.value = static_cast<std::int64_t>(jobs_.size());
    job.record.key = sha256(std::to_string(jobs_.size()));
    records_.emplace_back(job.record);
    return job;
  }

  void cancel(TrialRecord& trial) {
    if (ended(trial)) return;
    trial.state = TrialState::kCancelled;
    records_.emplace_back(trial);
  }

  // An attempt from its begin to its end: records.h says what is written.
  void run(Job& job) {
    if (job.record.state != JobState::kPending) return;
    ++job.record.attempt;
    for (int iteration = 0; iteration <= 200; iteration += 100) {
      if (below(4) == 0) continue;
      PointRecord point;
      point.job = job.record.id;
      point.attempt = job.record.attempt;
      point.train_subset = 10;
      point.point.iteration = iteration;
      point.point.state =
          sha256(std::to_string(job.record.id.value) + "/" + std::to_string(job.record.attempt) +
                 "/" + std::to_string(iteration));
      point.point.train = {measure(), measure(), 1, {}};
      point.point.evaluated = {measure(), measure(), 1, {}};
      point.point.train_seconds = below(4) * iteration;
      point.point.evaluate_seconds = below(2);
      records_.emplace_back(point);
    }
    const int how = below(6);
    const TrialState state = how < 4    ? TrialState::kDone
                             : how == 4 ? TrialState::kDiverged
                                        : TrialState::kFailed;
    job.record.state = how < 4    ? JobState::kDone
                       : how == 4 ? JobState::kDiverged
                                  : JobState::kFailed;
    Outcome& outcome = job.record.outcome.emplace();
    outcome.kind = how < 4    ? OutcomeKind::kCompleted
                   : how == 4 ? OutcomeKind::kDiverged
                              : OutcomeKind::kFailed;
    outcome.iteration = 100;
    outcome.state = sha256("end");
    records_.emplace_back(job.record);
    for (const std::size_t index : job.trials) {
      TrialRecord& trial = trials_[index];
      if (!ended(trial)) trial.state = state;
      records_.emplace_back(trial);
    }
  }

  void revive(Job& job) {
    if (job.record.state != JobState::kFailed) return;
    job.record.state = JobState::kPending;
    job.record.outcome.reset();
    records_.emplace_back(job.record);
  }

  std::mt19937_64 random_;
  std::unique_ptr<SqliteStore> store_;
  std::vector<Record> records_;
  std::vector<Digest> identities_;
  std::vector<TrialRecord> trials_;
  std::vector<Job> jobs_;
};

std::string text_of(const std::vector<PolicyEntry>& entries) {
  std::string text;
  for (const PolicyEntry& entry : entries) {
    text += std::to_string(entry.id) + " " + entry.identity.hex() + " " +
            to_json(entry.plan).dump() + " " + to_json(entry.scores).dump() + " open " +
            std::to_string(entry.open) + " runs";
    for (const PolicyRun& run : entry.runs) text += " " + std::to_string(run.trial.value);
    text += "\n";
  }
  return text;
}

std::vector<PolicyEntry> ranked_whole(const PolicyQueries& queries, const PolicyFilter& filter,
                                      RankBy by, RankAt at, std::size_t limit) {
  std::vector<PolicyEntry> entries = queries.policies(filter, at).value();
  std::erase_if(entries, [](const PolicyEntry& entry) { return entry.runs.empty(); });
  entries = best_first(std::move(entries), by);
  if (limit > 0 && entries.size() > limit) entries.resize(limit);
  return entries;
}

TEST(BestPolicies, AreThoseOfTheWholeRanking) {
  const std::vector<PolicyFilter> filters = {{},
                                             {.dataset = "mnist"},
                                             {.dataset = "cifar-10"},
                                             {.dataset = "svhn"},
                                             {.iterations = 100},
                                             {.dataset = "mnist", .iterations = 200}};
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const TemporaryFolder folder;
    RandomStore store(seed, folder.file("a.db"));
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 40; ++i) store.act();
      store.commit();
      const auto queries = PolicyQueries::open(folder.file("a.db")).value();
      for (const RankBy by :
           {RankBy::kTop1, RankBy::kLoss, RankBy::kCost, RankBy::kRobustness, RankBy::kSeconds}) {
        for (const RankAt at : {RankAt::kBest, RankAt::kFinal}) {
          for (const PolicyFilter& filter : filters) {
            for (const std::size_t limit : {0U, 1U, 3U, 10U, 1000U}) {
              ASSERT_EQ(text_of(queries.best(filter, by, at, limit).value()),
                        text_of(ranked_whole(queries, filter, by, at, limit)))
                  << "seed " << seed << ", round " << round << ", by " << static_cast<int>(by)
                  << ", at " << static_cast<int>(at) << ", data set '" << filter.dataset << "', "
                  << filter.iterations << " iterations, limit " << limit;
            }
          }
        }
      }
    }
  }
}

std::string bounds_in(const std::string& path) {
  SQLite::Database database(path);
  SQLite::Statement rows(
      database,
      "SELECT hex(policy.hash), hex(identity.hash), runs, met, target_iteration, best_top1, "
      "final_top1, lowest_loss, final_loss, best_difference_low, best_difference_high, "
      "final_difference_low, final_difference_high FROM bound "
      "JOIN policy ON policy.id = bound.policy JOIN identity ON identity.id = bound.identity "
      "ORDER BY 1, 2");
  std::string text;
  while (rows.executeStep()) {
    for (int column = 0; column < rows.getColumnCount(); ++column)
      text += rows.getColumn(column).getString() + " ";
    text += "\n";
  }
  return text;
}

TEST(BestPolicies, AnOldStoreGetsTheBoundsOfANewOne) {
  const TemporaryFolder folder;
  const std::string fresh = folder.file("fresh.db");
  ASSERT_TRUE(SqliteStore::open(fresh).value()->commit(sample_records()));
  const std::string wanted = bounds_in(fresh);
  EXPECT_GT(std::count(wanted.begin(), wanted.end(), '\n'), 4);
  for (int schema = 1; schema <= 6; ++schema) {
    const std::string old = folder.file("schema" + std::to_string(schema) + ".db");
    std::filesystem::copy_file(LRTUNE_FIXTURES "/store/schema" + std::to_string(schema) + ".db",
                               old);
    std::filesystem::permissions(
        old, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    ASSERT_TRUE(SqliteStore::open(old));
    EXPECT_EQ(bounds_in(old), wanted) << "schema " << schema;
  }
}

}  // namespace
}  // namespace lrtune
