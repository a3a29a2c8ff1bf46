#include "coordinator/operations/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <thread>

#include "tests/support/http_client.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using Seconds = RuntimeObserver::Seconds;

// The text form of Prometheus, version 0.0.4, read strictly: samples by name and labels. Each
// sample must follow the HELP and TYPE of its family, and come once.
std::map<std::string, double> parse_metrics(const std::string& text) {
  static const std::regex kSample(
      R"(([a-zA-Z_:][a-zA-Z0-9_:]*)((?:\{[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*\})?) (\S+))");
  static const std::regex kComment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))");
  std::map<std::string, double> samples;
  std::string family;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (std::regex_match(line, parts, kComment)) {
      family = parts[2];
      continue;
    }
    if (!std::regex_match(line, parts, kSample)) throw std::runtime_error("no sample: " + line);
    const std::string name = parts[1];
    if (family.empty() || !name.starts_with(family)) {
      throw std::runtime_error("a sample without its family: " + line);
    }
    const bool added = samples.emplace(name + parts[2].str(), std::stod(parts[3])).second;
    if (!added) throw std::runtime_error("twice: " + line);
  }
  if (!text.ends_with('\n')) throw std::runtime_error("the last line has no end");
  return samples;
}

class OperationsTest : public testing::Test {
 protected:
  void SetUp() override {
    OperationsOptions options;
    options.listen = "127.0.0.1:0";
    options.store = folder_.file("test.db");
    options.version = "1.2.3";
    options.clock = [this] { return Health::Time(seconds(now_.load())); };
    operations_ = Operations::start(options).value();
  }

  RuntimeObserver& observer() { return operations_->observer(); }
  HttpReply get(const std::string& path) { return http_get(operations_->address().port, path); }
  std::map<std::string, double> metrics() { return parse_metrics(get("/metrics").body); }

  TemporaryFolder folder_;
  std::atomic<std::int64_t> now_ = 1000;
  std::unique_ptr<Operations> operations_;
};

TEST_F(OperationsTest, MetricsAreTextOfVersion004) {
  const HttpReply reply = get("/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.head, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
  const auto samples = parse_metrics(reply.body);
  EXPECT_EQ(samples.at("lrtune_build_info{version=\"1.2.3\"}"), 1);
  // Alarms look at these before anything has happened.
  for (const char* zero :
       {"lrtune_queue_jobs", "lrtune_slots", "lrtune_workers", "lrtune_failed_commits_total",
        "lrtune_refused_frames_total", "lrtune_workers_departed_total{how=\"lost\"}",
        "lrtune_repeated_messages_total{what=\"report\"}", "lrtune_dispatch_seconds_count",
        "lrtune_decisions_total{code=\"poisoned\"}", "lrtune_ready"}) {
    ASSERT_TRUE(samples.contains(zero)) << zero;
    EXPECT_EQ(samples.at(zero), 0) << zero;
  }
}

TEST_F(OperationsTest, CountsFramesAndBytes) {
  observer().received(100);
  observer().received(20);
  observer().refused();
  observer().sent(7);
  const auto samples = metrics();
  EXPECT_EQ(samples.at("lrtune_received_frames_total"), 2);
  EXPECT_EQ(samples.at("lrtune_received_bytes_total"), 120);
  EXPECT_EQ(samples.at("lrtune_refused_frames_total"), 1);
  EXPECT_EQ(samples.at("lrtune_sent_frames_total"), 1);
  EXPECT_EQ(samples.at("lrtune_sent_bytes_total"), 7);
}

TEST_F(OperationsTest, LatenciesAreHistogramsInSeconds) {
  observer().dispatched(3, Seconds(0.0003));
  observer().dispatched(1, Seconds(0.25));
  observer().committed({}, Seconds(0.003));
  observer().turned(Seconds(60));
  const auto samples = metrics();
  EXPECT_EQ(samples.at("lrtune_dispatch_seconds_count"), 4);
  EXPECT_DOUBLE_EQ(samples.at("lrtune_dispatch_seconds_sum"), 0.2509);
  EXPECT_EQ(samples.at("lrtune_dispatch_seconds_bucket{le=\"0.0002\"}"), 0);
  EXPECT_EQ(samples.at("lrtune_dispatch_seconds_bucket{le=\"0.0004\"}"), 3);
  EXPECT_EQ(samples.at("lrtune_dispatch_seconds_bucket{le=\"0.5\"}"), 4);
  EXPECT_EQ(samples.at("lrtune_assignments_sent_total"), 4);
  EXPECT_EQ(samples.at("lrtune_commit_seconds_bucket{le=\"0.005\"}"), 1);
  EXPECT_EQ(samples.at("lrtune_turn_seconds_bucket{le=\"10\"}"), 0);
  EXPECT_EQ(samples.at("lrtune_turn_seconds_bucket{le=\"+Inf\"}"), 1);
}

TEST_F(OperationsTest, CountsDecisionsOfCommittedRecordsByCode) {
  const std::vector<Record> records = {
      DecisionRecord{CampaignId{1}, TrialId{1}, 0, "assigned", {}},
      DecisionRecord{CampaignId{1}, TrialId{2}, 0, "assigned", {}},
      DecisionRecord{CampaignId{1}, TrialId{2}, 0, "from a newer version", {}}, JobRecord{}};
  observer().committed(records, Seconds(0.001));
  observer().commit_failed();
  const auto samples = metrics();
  EXPECT_EQ(samples.at("lrtune_committed_records_total"), 4);
  EXPECT_EQ(samples.at("lrtune_decisions_total{code=\"assigned\"}"), 2);
  EXPECT_EQ(samples.at("lrtune_decisions_total{code=\"from a newer version\"}"), 1);
  EXPECT_EQ(samples.at("lrtune_failed_commits_total"), 1);
}

TEST_F(OperationsTest, CountsWhatStepsTell) {
  observer().stepped({.departed = {{"a", "its lease is over", false},
                                   {"b", "it left in order", true},
                                   {"c", "its lease is over", false}},
                      .assignments_repeated = 1,
                      .reports_repeated = 2,
                      .reports_stale = 3});
  const auto samples = metrics();
  EXPECT_EQ(samples.at("lrtune_workers_departed_total{how=\"lost\"}"), 2);
  EXPECT_EQ(samples.at("lrtune_workers_departed_total{how=\"in_order\"}"), 1);
  EXPECT_EQ(samples.at("lrtune_repeated_messages_total{what=\"assignment\"}"), 1);
  EXPECT_EQ(samples.at("lrtune_repeated_messages_total{what=\"report\"}"), 2);
  EXPECT_EQ(samples.at("lrtune_stale_reports_total"), 3);
}

TEST_F(OperationsTest, ShowsTheNewestPictureAndForgetsStatesThatNobodyIsIn) {
  Snapshot snapshot;
  snapshot.workers = 3;
  snapshot.slots = 12;
  snapshot.busy_slots = 5;
  snapshot.counts.queued_jobs = 40;
  snapshot.counts.trials = {{TrialState::kRunning, 5}, {TrialState::kWaiting, 40}};
  snapshot.counts.campaigns = {{CampaignState::kSearching, 2}};
  observer().pictured(snapshot);
  auto samples = metrics();
  EXPECT_EQ(samples.at("lrtune_workers"), 3);
  EXPECT_EQ(samples.at("lrtune_slots"), 12);
  EXPECT_EQ(samples.at("lrtune_slots_busy"), 5);
  EXPECT_EQ(samples.at("lrtune_queue_jobs"), 40);
  EXPECT_EQ(samples.at("lrtune_trials{state=\"running\"}"), 5);
  EXPECT_EQ(samples.at("lrtune_trials{state=\"waiting\"}"), 40);
  EXPECT_EQ(samples.at("lrtune_campaigns{state=\"searching\"}"), 2);

  snapshot.counts.campaigns = {{CampaignState::kDone, 2}};
  observer().pictured(snapshot);
  samples = metrics();
  EXPECT_EQ(samples.at("lrtune_campaigns{state=\"searching\"}"), 0);
  EXPECT_EQ(samples.at("lrtune_campaigns{state=\"done\"}"), 2);
}

TEST_F(OperationsTest, TellsOfTheProcessAndTheStoresFiles) {
  EXPECT_TRUE(std::isnan(metrics().at("lrtune_store_bytes{file=\"database\"}")));
  std::ofstream(folder_.file("test.db")) << std::string(1000, 'x');
  std::ofstream(folder_.file("test.db-wal")) << std::string(50, 'x');
  const auto samples = metrics();
  EXPECT_EQ(samples.at("lrtune_store_bytes{file=\"database\"}"), 1000);
  EXPECT_EQ(samples.at("lrtune_store_bytes{file=\"wal\"}"), 50);
  EXPECT_GT(samples.at("lrtune_store_free_bytes"), 0);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(samples.at("process_max_fds"), static_cast<double>(limit.rlim_cur));
  EXPECT_GT(samples.at("process_open_fds"), 3);
  EXPECT_GT(samples.at("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(samples.at("process_cpu_seconds_total"), 0);
  EXPECT_NEAR(samples.at("process_start_time_seconds"), static_cast<double>(std::time(nullptr)),
              600);
}

TEST_F(OperationsTest, HealthGoesBadWhenTheLoopStalls) {
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 503);
  observer().loading();
  EXPECT_EQ(get("/readyz").status, 503);
  observer().loaded();
  observer().turned(Seconds(0.001));
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_EQ(metrics().at("lrtune_ready"), 1);

  now_ += 31;
  const HttpReply stalled = get("/healthz");
  EXPECT_EQ(stalled.status, 503);
  EXPECT_EQ(stalled.body, "the coordinator's loop has not turned for 31.0 s (at most 30.0)\n");
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(metrics().at("lrtune_last_turn_age_seconds"), 31);

  observer().turned(Seconds(31));
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
}

TEST_F(OperationsTest, IsNotReadyOnceItStops) {
  observer().loaded();
  Snapshot snapshot;
  snapshot.stopping = true;
  observer().pictured(snapshot);
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/readyz").body, "is stopping\n");
  EXPECT_EQ(get("/healthz").status, 200);
}

// deploy/container/probe.sh, the containers' health check.
TEST_F(OperationsTest, TheProbeAgreesWithThePages) {
  const auto probe = [&](const std::string& path) {
    const std::string command =
        "'" + std::string(LRTUNE_SOURCE_DIR) + "/deploy/container/probe.sh' 127.0.0.1 " +
        std::to_string(operations_->address().port) + ' ' + path + " > " + folder_.file("said");
    const int status = std::system(command.c_str());
    std::ifstream said(folder_.file("said"));
    std::string line;
    std::getline(said, line);
    return std::to_string(WEXITSTATUS(status)) + ' ' + line;
  };
  EXPECT_EQ(probe("/healthz"), "0 starts");
  EXPECT_EQ(probe("/readyz"), "1 starts: the store is not open yet");
  observer().loaded();
  EXPECT_EQ(probe("/readyz"), "0 ready");
  now_ += 31;
  EXPECT_EQ(probe(""), "1 the coordinator's loop has not turned for 31.0 s (at most 30.0)");
}

TEST_F(OperationsTest, EverythingElseIsNotFound) {
  const HttpReply reply = get("/");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.body, "there are /metrics, /healthz and /readyz\n");
}

TEST_F(OperationsTest, IsReadWhileTheCoordinatorWrites) {
  std::atomic<bool> over = false;
  std::jthread coordinator([&] {
    while (!over) {
      observer().received(10);
      observer().dispatched(1, Seconds(0.001));
      observer().turned(Seconds(0.001));
      std::this_thread::yield();
    }
  });
  double before = 0;
  for (int i = 0; i < 20; ++i) {
    const auto samples = metrics();
    EXPECT_GE(samples.at("lrtune_received_frames_total"), before);
    EXPECT_EQ(samples.at("lrtune_dispatch_seconds_bucket{le=\"+Inf\"}"),
              samples.at("lrtune_dispatch_seconds_count"));
    before = samples.at("lrtune_received_frames_total");
  }
  over = true;
}

TEST(Operations, ABadOrTakenAddressIsOneClearError) {
  const auto bad = Operations::start({.listen = "metrics"});
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("'metrics' is no address to listen on"));
  const auto first = Operations::start({.listen = "127.0.0.1:0"});
  ASSERT_TRUE(first);
  const auto second = Operations::start({.listen = to_text((*first)->address())});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("Address already in use"));
}

}  // namespace
}  // namespace lrtune
