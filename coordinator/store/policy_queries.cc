#include "coordinator/store/policy_queries.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "common/policy/policy_json.h"
#include "coordinator/ranking/published.h"
#include "coordinator/search/search.h"
#include "coordinator/store/bound_order.h"
#include "coordinator/store/record_reader.h"
#include "coordinator/store/sql_values.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

using sql::stored;
using sql::Use;

// `realised`: of reactive policies, with the schedules that were realised in their place.
std::string select_trials(bool realised) {
  std::string select =
      "SELECT policy.id, policy.document, policy.description, identity.hash, identity.document, "
      "trial.iterations, "
      "evaluate_every, evaluate_on, train_subset, target_measure, target_value, stop_at_target, "
      "max_seconds, trial.id, campaign, "
      "phase, repeat, seed, trial.state, trial.job, job.attempt, job.outcome, "
      "job.outcome_iteration, job.outcome_state, job.outcome_message, "
      "coalesce((SELECT first.number FROM trial AS first WHERE first.id = trial.verifies), "
      "number), m_opt_every FROM trial ";
  select += realised ? "JOIN realised ON realised.job = trial.job "
                       "JOIN policy ON policy.id = realised.policy "
                     : "JOIN policy ON policy.id = trial.policy ";
  return select +
         "JOIN identity ON identity.id = trial.identity LEFT JOIN job ON job.id = trial.job "
         "WHERE (?1 = '' OR dataset = ?1) AND (?2 = '' OR model = ?2) "
         "AND (?3 = '' OR optimizer = ?3) ";
}
constexpr const char* kOfOnePolicy = "AND trial.policy = ?4 ";  // which an index finds
constexpr const char* kOfOneRealised = "AND realised.policy = ?4 ";
// Trials that compare stand together.
constexpr const char* kInOrder =
    "ORDER BY policy.id, trial.identity, trial.iterations, evaluate_every, evaluate_on, "
    "train_subset, "
    "target_measure, "
    "target_value, stop_at_target, max_seconds, m_opt_every, trial.id";

constexpr int kPlanColumn = 5;
constexpr int kTrialColumn = 13;
constexpr int kOutcomeColumn = 21;
constexpr int kNumberColumn = 25;
constexpr int kMoptColumn = 26;

// What M-opt is measured for changes no step: runs with and without it compare.
RunPlan plan_in(const sql::Rows& row) {
  RunPlan plan = plan_of(row, kPlanColumn, kPlanColumn + 7, kMoptColumn);
  plan.m_opt_every = 0;
  return plan;
}

bool compares(const PolicyEntry& entry, const sql::Rows& row) {
  return entry.id == row.integer(0) && entry.identity == row.digest(3) &&
         entry.plan == plan_in(row);
}

// Thousands of policies are trained in the same way: each identity is parsed once.
using Trainings = std::unordered_map<Digest, TrainingIdentity>;

const TrainingIdentity& training_of(Trainings& known, const Digest& identity,
                                    std::string_view document) {
  const auto [place, added] = known.try_emplace(identity);
  if (added) {
    const auto json = nlohmann::json::parse(document);
    place->second = stored(training_identity_from_json(json));
  }
  return place->second;
}

PolicyEntry entry_of(const sql::Rows& row, Trainings& trainings) {
  PolicyEntry entry;
  entry.id = row.integer(0);
  entry.policy = stored(policy_from_json(nlohmann::json::parse(row.text(1)), {}));
  entry.description = row.text(2);
  entry.identity = row.digest(3);
  const TrainingIdentity& training = training_of(trainings, entry.identity, row.text(4));
  entry.train = training.train;
  entry.data = training.data;
  entry.plan = plan_in(row);
  return entry;
}

// What experiments call their policies. An experiment that this program cannot read names nothing.
class PolicyNames {
 public:
  explicit PolicyNames(SQLite::Database& database)
      : select_(database, "SELECT experiment, extensions FROM campaign WHERE id = ?"),
        numbers_(database,
                 "SELECT number FROM trial WHERE campaign = ? AND phase = 'search' "
                 "ORDER BY number") {}

  // `number`: of the search trial in the campaign.
  std::string of(CampaignId campaign, std::int64_t number) {
    auto known = known_.find(campaign);
    if (known == known_.end()) known = known_.emplace(campaign, read(campaign)).first;
    const Known& names = known->second;
    if (!names.experiment) return {};
    return candidate_name(*names.experiment, names.candidate_of(number));
  }

 private:
  struct Known {
    std::optional<Experiment> experiment;
    // Of an extended campaign's search trials, ascending: those that it has more are numbered
    // behind its verification. Of another campaign's the number is the candidate.
    std::optional<std::vector<std::int64_t>> numbers;

    std::int64_t candidate_of(std::int64_t number) const {
      if (!numbers) return number;
      return std::lower_bound(numbers->begin(), numbers->end(), number) - numbers->begin();
    }
  };

  Known read(CampaignId campaign) {
    Known known;
    Use row(select_, campaign);
    if (!row.next()) return known;
    auto experiment = experiment_from_json(nlohmann::json::parse(row.column(0).getString()));
    if (!experiment) return known;
    known.experiment = *std::move(experiment);
    if (row.column(1).getInt() == 0) return known;
    known.numbers.emplace();
    Use numbers(numbers_, campaign);
    while (numbers.next()) known.numbers->push_back(numbers.column(0).getInt64());
    return known;
  }

  SQLite::Statement select_;
  SQLite::Statement numbers_;
  std::map<CampaignId, Known> known_;
};

void add_name(PolicyEntry& entry, std::string name) {
  if (name.empty()) return;
  if (std::find(entry.names.begin(), entry.names.end(), name) != entry.names.end()) return;
  entry.names.push_back(std::move(name));
}

// The points of a job's last attempt, the one that ended it.
std::vector<MetricPoint> points_of(sql::Rows& rows, JobId job, Attempt attempt) {
  rows.use(kMetricVersion, job, attempt);
  std::vector<MetricPoint> points;
  while (rows.next()) points.push_back(point_of(rows));
  return points;
}

// `target`: what counts in the place of the run plan's own.
PolicyRun run_of(const sql::Rows& row, TrialState state, sql::Rows& points,
                 const std::optional<Target>& target) {
  PolicyRun run;
  run.trial.value = row.integer(kTrialColumn);
  run.campaign.value = row.integer(kTrialColumn + 1);
  run.phase = stored(trial_phase_from_name(row.text(kTrialColumn + 2)));
  run.repeat = static_cast<std::uint32_t>(row.integer(kTrialColumn + 3));
  run.seed = static_cast<std::uint64_t>(row.integer(kTrialColumn + 4));
  run.state = state;
  const std::optional<Outcome> outcome = outcome_of(row, kOutcomeColumn);
  run.outcome = outcome ? outcome->kind : OutcomeKind::kFailed;
  run.ended_at = outcome ? outcome->iteration : 0;
  const JobId job{row.integer(kTrialColumn + 6)};
  run.scores = score(points_of(points, job, row.integer(kTrialColumn + 7)), run.outcome,
                     target ? target : plan_in(row).target);
  return run;
}

// One policy, one training, one seed: the same run again, by another policy whose schedule came out
// as this, or with M-opt measured. It counts once, as the one that ended well.
void add_run(std::vector<PolicyRun>& runs, PolicyRun run) {
  const auto same = std::ranges::find(runs, run.seed, &PolicyRun::seed);
  if (same == runs.end()) return runs.push_back(std::move(run));
  if (!same->scores.ended_well && run.scores.ended_well) std::swap(*same, run);
  if (same->m_opt.empty()) same->m_opt = std::move(run.m_opt);
  if (!same->realised) same->realised = std::move(run.realised);
}

void combine_scores(PolicyEntry& entry, RankAt at) {
  std::vector<Scores> scores;
  for (const PolicyRun& run : entry.runs) scores.push_back(run.scores);
  entry.scores = combine(scores, at);
}

// What a run is shown with when one policy is asked for.
class RunDetails {
 public:
  explicit RunDetails(SQLite::Database& database)
      : m_opt_(database, kSelectMopt),
        realised_(database,
                  "SELECT policy.id, policy.document FROM realised "
                  "JOIN policy ON policy.id = realised.policy WHERE job = ?1") {}

  void fill_in(PolicyRun& run, JobId job, Attempt attempt) {
    m_opt_.use(job, attempt);
    run.m_opt = m_opt_series(m_opt_);
    realised_.use(job);
    if (!realised_.next()) return;
    run.realised =
        RealisedSchedule{realised_.integer(0),
                         stored(policy_from_json(nlohmann::json::parse(realised_.text(1)), {}))};
  }

 private:
  sql::Rows m_opt_;
  sql::Rows realised_;
};

// Reads the uses of all policies, or of one at a time; within a transaction of the caller's. The
// policies are those of trials, or the schedules that reactive ones realised.
class EntryReader {
 public:
  enum class Which : std::uint8_t { kAll, kOne };

  EntryReader(SQLite::Database& database, RankAt at, Which which, bool realised = false)
      : at_(at),
        realised_(realised),
        trials_(database, select_trials(realised) +
                              (which == Which::kAll ? ""
                               : realised           ? kOfOneRealised
                                                    : kOfOnePolicy) +
                              kInOrder),
        points_(database,
                std::string(kSelectPoints) + "WHERE job = ?2 AND attempt = ?3 ORDER BY iteration"),
        names_(database),
        details_(database) {}

  std::vector<PolicyEntry> all(const PolicyFilter& filter) {
    filter_ = filter;
    trials_.use(filter.dataset, filter.model, filter.optimizer);
    return read();
  }
  std::vector<PolicyEntry> one(const PolicyFilter& filter, std::int64_t policy) {
    filter_ = filter;
    trials_.use(filter.dataset, filter.model, filter.optimizer, policy);
    return read();
  }
  // The same, with the details of its runs.
  std::vector<PolicyEntry> in_detail(std::int64_t policy) {
    detailed_ = true;
    return one({}, policy);
  }

 private:
  std::vector<PolicyEntry> read();
  void add_trial(std::vector<PolicyEntry>& entries);

  RankAt at_;
  bool realised_;
  bool detailed_ = false;
  PolicyFilter filter_;
  sql::Rows trials_;
  sql::Rows points_;
  PolicyNames names_;
  RunDetails details_;
  Trainings trainings_;
  std::vector<JobId> jobs_;  // of the present entry
};

std::vector<PolicyEntry> EntryReader::read() {
  std::vector<PolicyEntry> entries;
  while (trials_.next()) add_trial(entries);
  for (PolicyEntry& entry : entries) combine_scores(entry, at_);
  return entries;
}

void EntryReader::add_trial(std::vector<PolicyEntry>& entries) {
  if (filter_.iterations > 0 && plan_in(trials_).iterations != filter_.iterations) return;
  if (entries.empty() || !compares(entries.back(), trials_)) {
    entries.push_back(entry_of(trials_, trainings_));
    jobs_.clear();
  }
  PolicyEntry& entry = entries.back();
  std::string name =
      names_.of(CampaignId{trials_.integer(kTrialColumn + 1)}, trials_.integer(kNumberColumn));
  if (realised_) name += name.empty() ? "realised" : " realised";
  add_name(entry, std::move(name));
  const TrialState state = stored(trial_state_from_name(trials_.text(kTrialColumn + 5)));
  const JobId job{trials_.integer(kTrialColumn + 6)};
  if (job && std::find(jobs_.begin(), jobs_.end(), job) != jobs_.end()) return;
  jobs_.push_back(job);
  if (state == TrialState::kWaiting || state == TrialState::kRunning) {
    ++entry.open;
  } else {
    PolicyRun run = run_of(trials_, state, points_, filter_.target);
    if (detailed_) details_.fill_in(run, job, trials_.integer(kTrialColumn + 7));
    add_run(entry.runs, std::move(run));
  }
}

// `entries` ascend by policy, before and after. A realised schedule may be a policy that was tried
// by itself too.
void add_realised(std::vector<PolicyEntry>& entries, std::vector<PolicyEntry> realised, RankAt at) {
  std::vector<PolicyEntry> others;
  for (PolicyEntry& entry : realised) {
    // Not std::ranges: clang 14 cannot read libstdc++'s subrange.
    const auto [first, past] = std::equal_range(
        entries.begin(), entries.end(), entry,
        [](const PolicyEntry& one, const PolicyEntry& other) { return one.id < other.id; });
    const auto same = std::find_if(first, past, [&](const PolicyEntry& known) {
      return known.identity == entry.identity && known.plan == entry.plan;
    });
    if (same == past) {
      others.push_back(std::move(entry));
      continue;
    }
    for (std::string& name : entry.names) add_name(*same, std::move(name));
    for (PolicyRun& run : entry.runs) add_run(same->runs, std::move(run));
    std::ranges::sort(same->runs, {}, &PolicyRun::trial);
    combine_scores(*same, at);
  }
  std::ranges::move(others, std::back_inserter(entries));
  std::ranges::stable_sort(entries, {}, &PolicyEntry::id);
}

std::vector<PolicyEntry> read_policy(SQLite::Database& database, std::int64_t id, RankAt at) {
  constexpr auto kOne = EntryReader::Which::kOne;
  const SQLite::Transaction snapshot(database);
  std::vector<PolicyEntry> entries = EntryReader(database, at, kOne).in_detail(id);
  add_realised(entries, EntryReader(database, at, kOne, /*realised=*/true).in_detail(id), at);
  return entries;
}

std::vector<PolicyEntry> read_entries(SQLite::Database& database, const PolicyFilter& filter,
                                      RankAt at) {
  constexpr auto kAll = EntryReader::Which::kAll;
  const SQLite::Transaction snapshot(database);
  std::vector<PolicyEntry> entries = EntryReader(database, at, kAll).all(filter);
  add_realised(entries, EntryReader(database, at, kAll, /*realised=*/true).all(filter), at);
  return entries;
}

void keep_ranked(std::vector<PolicyEntry>& entries, RankBy by, std::size_t limit) {
  // What has not been measured yet cannot be ranked.
  std::erase_if(entries, [](const PolicyEntry& entry) { return entry.runs.empty(); });
  entries = best_first(std::move(entries), by);
  if (limit > 0 && entries.size() > limit) entries.resize(limit);
}

// Policies in the order of the best that they can be, until `limit` entries are better than all
// others can be.
std::vector<PolicyEntry> read_best(SQLite::Database& database, const PolicyFilter& filter,
                                   RankBy by, RankAt at, std::size_t limit) {
  const SQLite::Transaction snapshot(database);
  BoundOrder order(database, filter, by, at);
  EntryReader reader(database, at, EntryReader::Which::kOne);
  std::map<std::int64_t, std::vector<PolicyEntry>> known;  // by policy, as policies() orders them
  std::multiset<KeyedPolicy> best;
  for (; !order.empty(); order.pop()) {
    if (best.size() == limit && *best.rbegin() < order.front()) break;
    const std::int64_t policy = order.front().policy;
    const auto [place, added] = known.try_emplace(policy);
    if (!added) continue;
    place->second = reader.one(filter, policy);
    for (const PolicyEntry& entry : place->second) {
      if (entry.runs.empty()) continue;
      best.insert({rank_key(entry.scores, by), policy});
      if (best.size() > limit) best.erase(std::prev(best.end()));
    }
  }
  std::vector<PolicyEntry> entries;
  for (auto& [policy, uses] : known)
    std::move(uses.begin(), uses.end(), std::back_inserter(entries));
  // They are few, and have no bounds.
  add_realised(entries,
               EntryReader(database, at, EntryReader::Which::kAll, /*realised=*/true).all(filter),
               at);
  keep_ranked(entries, by, limit);
  return entries;
}

std::vector<DecisionRecord> read_decisions(SQLite::Database& database, TrialId trial,
                                           CampaignId campaign) {
  SQLite::Statement select(
      database,
      "SELECT id, campaign, trial, at, code, numbers FROM decision WHERE trial = ?1 "
      "UNION ALL SELECT id, campaign, trial, at, code, numbers FROM decision "
      "WHERE trial IS NULL AND campaign = ?2 ORDER BY id");
  Use rows(select, trial, campaign);
  std::vector<DecisionRecord> decisions;
  while (rows.next()) {
    decisions.push_back({CampaignId{rows.column(1).getInt64()}, TrialId{rows.column(2).getInt64()},
                         rows.column(3).getInt64(), rows.column(4).getString(),
                         nlohmann::json::parse(rows.column(5).getString())});
  }
  return decisions;
}

std::optional<TrialStory> read_story(SQLite::Database& database, TrialId trial) {
  const SQLite::Transaction snapshot(database);
  SQLite::Statement select(
      database,
      "SELECT number, campaign, campaign.name, phase, verifies, repeat, trial.state, description, "
      "coalesce((SELECT first.number FROM trial AS first WHERE first.id = trial.verifies), "
      "number), scale FROM trial JOIN campaign ON campaign.id = trial.campaign "
      "JOIN policy ON policy.id = trial.policy WHERE trial.id = ?");
  Use row(select, trial);
  if (!row.next()) return std::nullopt;
  TrialStory story;
  story.trial = trial;
  story.number = row.column(0).getInt64();
  story.campaign.value = row.column(1).getInt64();
  story.campaign_name = row.column(2).getString();
  story.phase = stored(trial_phase_from_name(row.column(3).getString()));
  story.verifies.value = row.column(4).getInt64();
  story.repeat = static_cast<std::uint32_t>(row.column(5).getInt64());
  story.state = stored(trial_state_from_name(row.column(6).getString()));
  story.policy = named(PolicyNames(database).of(story.campaign, row.column(8).getInt64()),
                       row.column(7).getString());
  story.scale = row.column(9).getDouble();
  story.decisions = read_decisions(database, trial, story.campaign);
  return story;
}

// "the store FILE has no trial 99; it has 1 to 12".
tl::unexpected<Error> nothing_there(SQLite::Database& database, const std::string& path,
                                    const std::string& table, std::int64_t id) {
  const std::int64_t last =
      database.execAndGet("SELECT coalesce(max(id), 0) FROM " + table).getInt64();
  return fail(
      last == 0 ? fmt::format("the store {} has no {} yet", path, table)
                : fmt::format("the store {} has no {} {}; it has 1 to {}", path, table, id, last));
}

// Carries out `read`; what SQLite or a damaged row throws becomes an error about the file.
template <typename Read>
auto guarded(const std::string& path, Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot read the store {}: {}", path, error.what()));
  }
}

}  // namespace

PolicyQueries::PolicyQueries(std::string path, std::unique_ptr<SQLite::Database> database)
    : path_(std::move(path)), database_(std::move(database)) {}
PolicyQueries::PolicyQueries(PolicyQueries&&) noexcept = default;
PolicyQueries& PolicyQueries::operator=(PolicyQueries&&) noexcept = default;
PolicyQueries::~PolicyQueries() = default;

Result<PolicyQueries> PolicyQueries::open(const std::string& path) {
  auto database = open_for_reading(path);
  if (!database) return tl::unexpected(database.error());
  return PolicyQueries(path, *std::move(database));
}

namespace {

bool may_fit(const PolicyFilter& filter) {
  return (filter.task.empty() || filter.task == kOwnTask) &&
         (filter.framework.empty() || filter.framework == kOwnFramework);
}

}  // namespace

Result<std::vector<PolicyEntry>> PolicyQueries::policies(const PolicyFilter& filter,
                                                         RankAt at) const {
  if (!may_fit(filter)) return std::vector<PolicyEntry>();
  return guarded(path_, [&]() -> Result<std::vector<PolicyEntry>> {
    return read_entries(*database_, filter, at);
  });
}

Result<std::vector<PolicyEntry>> PolicyQueries::best(const PolicyFilter& filter, RankBy by,
                                                     RankAt at, std::size_t limit) const {
  if (!may_fit(filter)) return std::vector<PolicyEntry>();
  return guarded(path_, [&]() -> Result<std::vector<PolicyEntry>> {
    if (limit > 0) return read_best(*database_, filter, by, at, limit);
    std::vector<PolicyEntry> entries = read_entries(*database_, filter, at);
    keep_ranked(entries, by, limit);
    return entries;
  });
}

Result<std::vector<PolicyEntry>> PolicyQueries::policy(std::int64_t id, RankAt at) const {
  return guarded(path_, [&]() -> Result<std::vector<PolicyEntry>> {
    auto entries = read_policy(*database_, id, at);
    if (entries.empty()) return nothing_there(*database_, path_, "policy", id);
    return entries;
  });
}

Result<TrialStory> PolicyQueries::story(TrialId trial) const {
  return guarded(path_, [&]() -> Result<TrialStory> {
    std::optional<TrialStory> story = read_story(*database_, trial);
    if (!story) return nothing_there(*database_, path_, "trial", trial.value);
    return *std::move(story);
  });
}

Result<CampaignId> PolicyQueries::find_campaign(const std::string& campaign) const {
  sql::Rows rows(*database_,
                 "SELECT id FROM campaign WHERE CAST(id AS TEXT) = ?1 OR name = ?1 OR "
                 "(length(?1) >= 4 AND substr(lower(hex(hash)), 1, length(?1)) = ?1) "
                 "ORDER BY CAST(id AS TEXT) = ?1 DESC, name = ?1 DESC, id DESC",
                 std::string_view(campaign));
  if (rows.next()) return CampaignId{rows.integer(0)};
  return fail(
      fmt::format("the store {} has no campaign '{}'; a campaign is named by its number, "
                  "its name or the beginning of its hash",
                  path_, campaign));
}

Result<PolicyQueries::CampaignInStore> PolicyQueries::campaign_in_store(
    const std::string& campaign) const {
  return guarded(path_, [&]() -> Result<CampaignInStore> {
    const auto id = find_campaign(campaign);
    if (!id) return tl::unexpected(id.error());
    CampaignInStore found{read_moment(*database_), {}};
    found.campaign = std::ranges::find(found.stored.campaigns, *id, &CampaignRecord::id)->hash;
    return found;
  });
}

Result<StoredState> PolicyQueries::everything() const {
  return guarded(path_, [&]() -> Result<StoredState> { return read_moment(*database_); });
}

Result<CampaignHistory> PolicyQueries::campaign_history(const std::string& campaign) const {
  return guarded(path_, [&]() -> Result<CampaignHistory> {
    const auto id = find_campaign(campaign);
    if (!id) return tl::unexpected(id.error());
    return read_history(*database_, *id);
  });
}

std::vector<PolicyEntry> best_first(std::vector<PolicyEntry> entries, RankBy by) {
  std::vector<RepeatedScores> scores;
  for (const PolicyEntry& entry : entries) scores.push_back(entry.scores);
  std::vector<PolicyEntry> ranked;
  for (const std::size_t index : rank_repeated(scores, by))
    ranked.push_back(std::move(entries[index]));
  return ranked;
}

}  // namespace lrtune
