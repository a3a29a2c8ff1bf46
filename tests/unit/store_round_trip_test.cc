// The store gives back exactly what was committed.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>

#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

std::unique_ptr<SqliteStore> open_store(const std::string& path) {
  auto store = SqliteStore::open(path);
  if (!store) throw std::runtime_error(store.error().message);
  return *std::move(store);
}

void expect_same(const StoredState& found, const StoredState& wanted) {
  EXPECT_TRUE(found.campaigns == wanted.campaigns);
  EXPECT_TRUE(found.identities == wanted.identities);
  EXPECT_TRUE(found.trials == wanted.trials);
  EXPECT_TRUE(found.jobs == wanted.jobs);
  EXPECT_TRUE(found.points == wanted.points);
  EXPECT_TRUE(found.orders == wanted.orders);
}

TEST(StoreRoundTrip, NewStoreIsEmpty) {
  const TemporaryFolder folder(memory_folder());
  const auto state = open_store(folder.file("new.db"))->load();
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_TRUE(*state == StoredState());
}

TEST(StoreRoundTrip, SampleCampaignComesBack) {
  const TemporaryFolder folder(memory_folder());
  const std::vector<Record> records = sample_records();
  StoredState wanted;
  apply_records(wanted, records);
  {
    const auto store = open_store(folder.file("a.db"));
    const auto done = store->commit(records);
    ASSERT_TRUE(done) << done.error().message;
  }
  const auto found = open_store(folder.file("a.db"))->load();
  ASSERT_TRUE(found) << found.error().message;
  expect_same(*found, wanted);
  EXPECT_EQ(found->trials.size(), 12U);
  EXPECT_EQ(found->points.size(), 51U);
}

// Regression: the log of a search method that was added later was not read, so that a restarted
// search began from nothing.
TEST(StoreRoundTrip, TheLogOfEverySearchByResultsComesBack) {
  for (int number = 0; number <= static_cast<int>(SearchMethod::kTree); ++number) {
    const auto method = static_cast<SearchMethod>(number);
    SCOPED_TRACE(name_of(method));
    const TemporaryFolder folder(memory_folder());
    std::vector<Record> records = sample_records();
    StoredState state;
    apply_records(state, records);
    CampaignRecord campaign = state.campaigns.front();
    campaign.state = CampaignState::kSearching;
    campaign.experiment = {{"search", {{"method", name_of(method)}}}};
    const auto trial = std::find_if(state.trials.begin(), state.trials.end(),
                                    [&](const auto& one) { return one.campaign == campaign.id; });
    ASSERT_NE(trial, state.trials.end());
    records.emplace_back(campaign);
    const DecisionRecord observed{campaign.id, trial->id, 7, "observed", {{"rung", 0}}};
    records.emplace_back(observed);
    const auto store = open_store(folder.file("a.db"));
    ASSERT_TRUE(store->commit(records));
    const auto found = store->load();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->search_log.size(), decides_by_results(method) ? 1U : 0U);
  }
}

// Any sequence of turns, with the store opened anew at any place, reads back as the model says, bit
// by bit.
TEST(StoreRoundTrip, RandomTurnsReadBackAsTheModelSays) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TemporaryFolder folder(memory_folder());
    RecordSource source(seed);
    StoredState wanted;
    auto store = open_store(folder.file("a.db"));
    for (std::uint64_t turn = 0; turn < 40; ++turn) {
      const std::vector<Record> records = source.turn();
      const auto done = store->commit(records);
      ASSERT_TRUE(done) << done.error().message;
      apply_records(wanted, records);
      if ((turn + seed) % 17 == 0) {
        store.reset();
        store = open_store(folder.file("a.db"));
      }
    }
    const auto found = store->load();
    ASSERT_TRUE(found) << found.error().message;
    expect_same(*found, wanted);
    if (HasFailure()) return;
  }
}

// Metrics belong to states: what two jobs share is kept once.
TEST(StoreRoundTrip, EqualStatesShareTheirMetrics) {
  const TemporaryFolder folder(memory_folder());
  const auto store = open_store(folder.file("a.db"));
  ASSERT_TRUE(store->commit(sample_records()));
  SQLite::Database database(folder.file("a.db"));
  // 8 search trials start from one state, 2 x 2 verification trials from two others.
  EXPECT_EQ(database.execAndGet("SELECT count(*) FROM point WHERE iteration = 0").getInt(), 11);
  EXPECT_EQ(
      database.execAndGet("SELECT count(DISTINCT state) FROM point WHERE iteration = 0").getInt(),
      3);
  EXPECT_EQ(
      database
          .execAndGet(
              "SELECT count(*) FROM metric JOIN point USING (state) WHERE iteration = 0 AND part = "
              "'test' AND job = 1")
          .getInt(),
      1);
  EXPECT_EQ(database.execAndGet("SELECT count(*) FROM policy").getInt(), 8);
}

// A point that a worker sent twice is one point.
TEST(StoreRoundTrip, RepeatedPointIsKeptOnce) {
  const TemporaryFolder folder(memory_folder());
  const auto store = open_store(folder.file("a.db"));
  const std::vector<Record> records = sample_records();
  ASSERT_TRUE(store->commit(records));
  for (const Record& record : records) {
    if (!std::holds_alternative<PointRecord>(record)) continue;
    ASSERT_TRUE(store->commit({&record, 1}));
  }
  EXPECT_EQ(store->load()->points.size(), 51U);
}

// Of doubles only -0 and NaN have no form of their own in SQLite: -0 reads back as 0.
TEST(StoreRoundTrip, LargestIntegersAndOddDoublesAreExact) {
  const TemporaryFolder folder(memory_folder());
  const auto store = open_store(folder.file("a.db"));
  std::vector<Record> records = sample_records();
  auto& campaign = std::get<CampaignRecord>(records.front());
  for (const double value :
       {5e-324, 1.7976931348623157e308, 0.1, std::numeric_limits<double>::infinity()}) {
    campaign.created_at = std::numeric_limits<std::int64_t>::max();
    campaign.busy_seconds = value;
    ASSERT_TRUE(store->commit({records.data(), 1}));
    const StoredState state = store->load().value();
    EXPECT_EQ(state.campaigns[0].created_at, campaign.created_at);
    EXPECT_EQ(state.campaigns[0].busy_seconds, value);
  }
}

// From this many points on, a thread with a connection of its own reads them
// (coordinator/store/record_reader.cc).
constexpr std::int64_t kReadBeside = 20'000;

// The sample campaign, and points of its last job until there are `count`, each with a state of its
// own.
std::vector<Record> sample_with_points(std::int64_t count) {
  std::vector<Record> records = sample_records();
  PointRecord point;
  for (const Record& record : records) {
    if (const auto* one = std::get_if<PointRecord>(&record)) {
      --count;
      if (point.job <= one->job) point = *one;
    }
  }
  for (; count > 0; --count) {
    ++point.point.iteration;
    point.point.state = sha256(std::to_string(count));
    point.point.learning_rate = 1.0 / static_cast<double>(count);
    point.point.evaluated.loss = static_cast<double>(count);
    records.emplace_back(point);
  }
  return records;
}

TEST(StoreRoundTrip, PointsReadByAThreadOfTheirOwnAreTheSame) {
  for (const std::int64_t count : {kReadBeside - 1, kReadBeside}) {
    SCOPED_TRACE(testing::Message() << count << " points");
    const TemporaryFolder folder(memory_folder());
    const std::vector<Record> records = sample_with_points(count);
    StoredState wanted;
    apply_records(wanted, records);
    ASSERT_EQ(std::ssize(wanted.points), count);
    ASSERT_TRUE(open_store(folder.file("a.db"))->commit(records));
    const auto store = open_store(folder.file("a.db"));
    const auto found = store->load();
    ASSERT_TRUE(found) << found.error().message;
    expect_same(*found, wanted);
    // What was committed since, and is in the log alone, is read too.
    auto later = std::get<PointRecord>(records.back());
    ++later.point.iteration;
    later.point.state = sha256("later");
    const Record record = later;
    ASSERT_TRUE(store->commit({&record, 1}));
    apply_records(wanted, {&record, 1});
    const auto again = store->load();
    ASSERT_TRUE(again) << again.error().message;
    expect_same(*again, wanted);
  }
}

TEST(StoreRoundTrip, ADamagedPointIsAnErrorInTheThreadToo) {
  for (const std::int64_t count : {kReadBeside - 1, kReadBeside}) {
    SCOPED_TRACE(testing::Message() << count << " points");
    const TemporaryFolder folder(memory_folder());
    ASSERT_TRUE(open_store(folder.file("a.db"))->commit(sample_with_points(count)));
    SQLite::Database(folder.file("a.db"), SQLite::OPEN_READWRITE)
        .exec(
            "UPDATE point SET learning_rate = 0.75 WHERE iteration = (SELECT max(iteration) FROM "
            "point)");
    const auto found = open_store(folder.file("a.db"))->load();
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message.find("does not fit its checksum"), std::string::npos)
        << found.error().message;
  }
}

// Regression: after an extension that verified fewer policies, the places behind them stayed.
TEST(StoreRoundTrip, ARankingTakesThePlaceOfALongerOne) {
  const TemporaryFolder folder(memory_folder());
  const auto store = open_store(folder.file("a.db"));
  ASSERT_TRUE(store->commit(sample_records()));
  const auto rank = [&](TrialPhase phase, std::int64_t places) {
    std::vector<Record> ranking;
    for (std::int64_t place = 1; place <= places; ++place) {
      ranking.emplace_back(
          RankingRecord{CampaignId{1}, phase, static_cast<int>(place), TrialId{place}, {}});
    }
    ASSERT_TRUE(store->commit(ranking));
  };
  rank(TrialPhase::kSearch, 5);
  rank(TrialPhase::kVerify, 4);
  rank(TrialPhase::kVerify, 2);
  const Record none = RankingRecord{CampaignId{1}, TrialPhase::kSearch, 0, {}, {}};
  ASSERT_TRUE(store->commit({&none, 1}));
  const SQLite::Database database(folder.file("a.db"), SQLite::OPEN_READONLY);
  SQLite::Statement rows(database,
                         "SELECT group_concat(phase || rank, ' ') FROM "
                         "(SELECT phase, rank FROM ranking WHERE campaign = 1 ORDER BY 1, 2)");
  ASSERT_TRUE(rows.executeStep());
  EXPECT_EQ(rows.getColumn(0).getString(), "verify1 verify2");
}

TEST(StoreRefuses, NumbersThatItCannotKeep) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Record> sample = sample_records();
  auto campaign = std::get<CampaignRecord>(sample[0]);
  campaign.busy_seconds = nan;
  DecisionRecord decision{
      CampaignId{1}, {}, 0, "x", {{"rate", std::numeric_limits<double>::infinity()}}};
  std::vector<Record> bad = {campaign, decision};
  for (const Record& record : bad) {
    const TemporaryFolder folder(memory_folder());
    const auto store = open_store(folder.file("a.db"));
    const auto done = store->commit({&record, 1});
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("what diverged has a state"), std::string::npos)
        << done.error().message;
  }
}

TEST(StoreRefuses, ReferencesToNothing) {
  const TemporaryFolder folder(memory_folder());
  const auto store = open_store(folder.file("a.db"));
  const Record record = DecisionRecord{CampaignId{1}, TrialId{5}, 0, "assigned", {}};
  ASSERT_FALSE(store->commit({&record, 1}));
  EXPECT_TRUE(store->load().value() == StoredState());
}

}  // namespace
}  // namespace lrtune
