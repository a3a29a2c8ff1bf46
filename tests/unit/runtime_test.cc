#include "coordinator/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <functional>
#include <sstream>

#include "tests/support/record_model.h"
#include "tests/unit/scripted_peer.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Keeps everything in memory; commits of chosen numbers fail.
class MemoryStore : public Store {
 public:
  Result<void> commit(std::span<const Record> records) override {
    ++commits;
    if (fails(commits)) return fail("the disk is full");
    apply_records(state, records);
    return {};
  }
  Result<StoredState> load() override {
    ++loads;
    return state;
  }
  Result<std::string> look() override {
    ++looks;
    return looked;
  }

  StoredState state;
  int commits = 0;
  int loads = 0;
  int looks = 0;
  Result<std::string> looked = std::string();
  std::function<bool(int)> fails = [](int) { return false; };
};

Experiment some_experiment(int policies) {
  std::string yaml =
      "name: test\ntrain:\n  dataset: {name: mnist}\n  model: lenet\n  optimizer: {name: sgd}\n"
      "  batch: 100\nrun: {iterations: 20, evaluate: {every: 10}}\nseed: 7\n"
      "search:\n  method: list\n  policies:\n";
  for (int i = 1; i <= policies; ++i) {
    yaml += "    - {function: fix, k0: 0.0" + std::to_string(i) + "}\n";
  }
  return experiment_from_yaml(yaml, "test.yaml").value();
}

// The loop and its peers in one thread: the peers are moved between turns.
class RuntimeTest : public testing::Test, public RuntimeWatcher {
 protected:
  void SetUp() override { start_runtime(); }

  void start_runtime() {
    options_.watch_every = std::chrono::milliseconds(1);
    options_.core.heartbeat = std::chrono::milliseconds(20);
    auto log = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log_text_));
    runtime_ = std::make_unique<Runtime>(wire::RouterSocket::bind("tcp://127.0.0.1:*").value(),
                                         store_, options_, log);
  }

  ScriptedPeer& add_peer(const std::string& name) {
    return *peers_.emplace_back(std::make_unique<ScriptedPeer>(runtime_->endpoint(), name));
  }

  std::vector<int> descriptors() override { return {}; }
  void readable(int, const Now&) override {}
  bool watch(const Snapshot& snapshot, const Now& now) override {
    if (!deadline_) deadline_ = now.steady + std::chrono::seconds(20);
    for (const auto& peer : peers_) peer->pump();
    if (each_turn_) each_turn_();
    last_ = snapshot;
    return !until_() && now.steady < *deadline_;
  }

  bool done() const {
    return !last_.campaigns.empty() && last_.campaigns[0].state == CampaignState::kDone;
  }

  MemoryStore store_;
  std::ostringstream log_text_;
  RuntimeOptions options_;
  std::unique_ptr<Runtime> runtime_;
  std::vector<std::unique_ptr<ScriptedPeer>> peers_;
  std::function<bool()> until_ = [this] { return done(); };
  std::function<void()> each_turn_;
  std::optional<SteadyTime> deadline_;
  Snapshot last_;
};

TEST_F(RuntimeTest, CarriesACampaignOutThroughSockets) {
  add_peer("a");
  add_peer("b");
  runtime_->post(event::Submitted{some_experiment(8)});
  ASSERT_TRUE(runtime_->run(*this));
  ASSERT_TRUE(done());
  EXPECT_EQ(last_.campaigns[0].done, 8);
  EXPECT_EQ(store_.state.trials.size(), 8U);
  EXPECT_EQ(peers_[0]->assigned.size() + peers_[1]->assigned.size(), 8U);
  for (const JobRecord& job : store_.state.jobs) EXPECT_EQ(job.attempt, 1);
}

TEST_F(RuntimeTest, WhatAPeerSeesIsStored) {
  ScriptedPeer& peer = add_peer("a");
  std::size_t checked = 0;
  each_turn_ = [&] {
    for (; checked < peer.assigned.size(); ++checked) {
      const wire::Assign& seen = peer.assigned[checked];
      const auto job = std::ranges::find(store_.state.jobs, seen.job, &JobRecord::id);
      ASSERT_NE(job, store_.state.jobs.end());
      EXPECT_GE(job->attempt, seen.attempt);
    }
  };
  runtime_->post(event::Submitted{some_experiment(4)});
  ASSERT_TRUE(runtime_->run(*this));
  EXPECT_EQ(checked, 4U);
}

TEST_F(RuntimeTest, AFailedCommitAtAnyMomentLosesNothing) {
  options_.frames_per_turn = 1;  // more and smaller commits
  int tried = 0;
  do {
    SCOPED_TRACE(testing::Message() << "commit " << ++tried << " fails");
    store_ = MemoryStore();
    store_.fails = [tried](int commit) { return commit == tried; };
    peers_.clear();
    deadline_.reset();
    last_ = {};
    start_runtime();
    add_peer("a");
    runtime_->post(event::Submitted{some_experiment(3)});
    ASSERT_TRUE(runtime_->run(*this));
    ASSERT_TRUE(done());
    EXPECT_EQ(store_.loads, store_.commits >= tried ? 2 : 1);
    ASSERT_EQ(store_.state.trials.size(), 3U);
    for (const TrialRecord& trial : store_.state.trials) {
      EXPECT_EQ(trial.state, TrialState::kDone);
    }
  } while (store_.commits >= tried);  // until none was left to fail
  EXPECT_GT(tried, 4);
}

TEST_F(RuntimeTest, LooksAtTheStoreWithoutACommit) {
  until_ = [this] { return store_.looks > 0; };
  store_.looked = std::string("it was removed");
  ASSERT_TRUE(runtime_->run(*this));
  EXPECT_EQ(store_.commits, 0);
  EXPECT_EQ(store_.loads, 1);
  EXPECT_THAT(log_text_.str(), HasSubstr("event=store_mended reason=\"it was removed\""));

  start_runtime();
  store_.looks = 0;
  store_.looked = fail("it was moved");
  ASSERT_TRUE(runtime_->run(*this));
  EXPECT_EQ(store_.loads, 3) << "the core is made anew";
  EXPECT_THAT(log_text_.str(), HasSubstr("event=store_out_of_place reason=\"it was moved\""));
}

TEST_F(RuntimeTest, AStoreThatStaysBrokenEndsTheRunAndNothingIsSent) {
  ScriptedPeer& peer = add_peer("a");
  store_.fails = [](int) { return true; };
  runtime_->post(event::Submitted{some_experiment(2)});
  const auto ran = runtime_->run(*this);
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().message, HasSubstr("the disk is full"));
  EXPECT_THAT(peer.assigned, IsEmpty());
  EXPECT_TRUE(store_.state.campaigns.empty());
}

// Regression: a worker that greeted without end kept the coordinator from all others.
TEST_F(RuntimeTest, AWorkerThatGreetsWithoutEndIsSentAway) {
  options_.greetings = 10'000;
  start_runtime();
  ScriptedPeer& bad = add_peer("bad");
  add_peer("good");
  wire::Hello hello;
  hello.worker = "bad";
  hello.process = "flood";
  hello.numerics.device = "cpu";
  for (std::int64_t job = 1; job <= 900; ++job) hello.held.push_back({JobId{job}, 1});
  each_turn_ = [&] {
    for (int i = 0; i < 20 && bad.rejected.empty(); ++i) bad.send(hello);
  };
  until_ = [&] { return done() && !bad.rejected.empty(); };
  runtime_->post(event::Submitted{some_experiment(8)});
  ASSERT_TRUE(runtime_->run(*this));
  ASSERT_TRUE(done());
  EXPECT_THAT(bad.rejected[0], HasSubstr("it says hello too often"));
  EXPECT_THAT(log_text_.str(), HasSubstr("event=frame_refused worker=bad"));
}

TEST_F(RuntimeTest, AnotherVersionIsRejected) {
  add_peer("good");
  ScriptedPeer& bad = add_peer("bad");
  bad.send_bytes({0x92, 0x63, 0x92, 0xa5, 'h', 'e', 'l', 'l', 'o', 0x80});  // version 99
  until_ = [&] { return done() && !bad.rejected.empty(); };
  runtime_->post(event::Submitted{some_experiment(3)});
  ASSERT_TRUE(runtime_->run(*this));
  EXPECT_THAT(bad.rejected.at(0), HasSubstr("version 99"));
}

// Bug: such a worker repeated its frame for ever and kept its slot, with one line of log each time.
TEST_F(RuntimeTest, AWorkerWhoseFramesCannotBeReadIsSentAwayAndItsJobGivenToAnother) {
  options_.core.lease = std::chrono::hours(1);
  start_runtime();
  ScriptedPeer& bad = add_peer("bad");
  bad.finishes = false;
  each_turn_ = [&] {
    if (bad.assigned.empty()) return;
    bad.send_bytes({0xc1, 0xff, 0x00});
    if (peers_.size() == 1) add_peer("good");
  };
  until_ = [&] { return done() && bad.rejected.size() > 3; };
  runtime_->post(event::Submitted{some_experiment(1)});
  ASSERT_TRUE(runtime_->run(*this));
  ASSERT_TRUE(done());
  EXPECT_THAT(bad.rejected[0], HasSubstr("it sent a frame that cannot be read"));
  EXPECT_EQ(peers_[1]->assigned.at(0).attempt, 2);
  const std::string log = log_text_.str();
  const auto first = log.find("event=peer_lost");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("event=peer_lost", first + 1), std::string::npos) << log;
  EXPECT_THAT(log, HasSubstr("event=frame_refused worker=bad key=\"\" bytes=3 reason="));
}

// Bug: a process that had ended before its HELLO was read stayed for a whole lease, with a job.
TEST_F(RuntimeTest, AHelloThatIsReadAfterItsProcessEndedMakesNoGhost) {
  options_.core.lease = std::chrono::hours(1);
  options_.last_words = std::chrono::seconds(1);
  start_runtime();
  each_turn_ = [&] {
    if (peers_.empty()) {
      runtime_->worker_ended("ghost", "it was killed");
      add_peer("ghost").finishes = false;
    } else if (!peers_[0]->assigned.empty() && peers_.size() == 1) {
      EXPECT_FALSE(runtime_->has_joined("ghost"));
      add_peer("good");
    }
  };
  runtime_->post(event::Submitted{some_experiment(1)});
  ASSERT_TRUE(runtime_->run(*this));
  ASSERT_TRUE(done());
  EXPECT_EQ(peers_[1]->assigned.at(0).attempt, 2);
}

// Bug: nobody heard of it, and the campaign waited for ever.
TEST_F(RuntimeTest, ASurveyThatCannotBeSentFailsItsCampaign) {
  Experiment experiment = some_experiment(1);
  experiment.train.tree["dataset"]["path"] = "no UTF-8: \xff";
  add_peer("a");
  until_ = [&] {
    return !last_.campaigns.empty() && last_.campaigns[0].state == CampaignState::kFailed;
  };
  runtime_->post(event::Submitted{experiment});
  ASSERT_TRUE(runtime_->run(*this));
  EXPECT_THAT(last_.campaigns.at(0).failure,
              HasSubstr("no worker can be asked about data set mnist: a survey message cannot"));
}

TEST_F(RuntimeTest, ADeadProcessGivesItsJobAwayWithoutWaitingForItsLease) {
  ScriptedPeer& silent = add_peer("silent");
  silent.finishes = false;
  each_turn_ = [&] {
    if (silent.assigned.empty() || peers_.size() > 1) return;
    runtime_->worker_ended("silent", "it was killed");
    add_peer("next");
  };
  runtime_->post(event::Submitted{some_experiment(1)});
  ASSERT_TRUE(runtime_->run(*this));
  ASSERT_TRUE(done());
  EXPECT_EQ(peers_[1]->assigned.size(), 1U);
  EXPECT_EQ(peers_[1]->assigned[0].attempt, 2);
}

// Adds up what the loop tells.
struct CountingObserver : RuntimeObserver {
  void loading() override { phases += "loading "; }
  void loaded() override { phases += "loaded "; }
  void received(std::size_t bytes) override {
    ++frames_in;
    bytes_in += bytes;
  }
  void refused() override { ++frames_refused; }
  void sent(std::size_t bytes) override {
    ++frames_out;
    bytes_out += bytes;
  }
  void stepped(const StepFacts& facts) override { all.add(facts); }
  void committed(std::span<const Record> some, Seconds commit) override {
    records += some.size();
    EXPECT_GE(commit.count(), 0);
  }
  void commit_failed() override { phases += "failed "; }
  void dispatched(std::int64_t count, Seconds since) override {
    assignments += count;
    EXPECT_GE(since.count(), 0);
    EXPECT_LT(since.count(), 20);
  }
  void turned(Seconds work) override {
    ++turns;
    EXPECT_GE(work.count(), 0);
  }
  void pictured(const Snapshot& snapshot) override { last = snapshot; }

  std::string phases;
  std::size_t frames_in = 0, bytes_in = 0, frames_out = 0, bytes_out = 0, records = 0;
  int frames_refused = 0, turns = 0;
  std::int64_t assignments = 0;
  StepFacts all;
  Snapshot last;
};

TEST_F(RuntimeTest, AnObserverIsToldAll) {
  CountingObserver observer;
  options_.observer = &observer;
  start_runtime();
  ScriptedPeer& bad = add_peer("bad");
  bad.finishes = false;
  each_turn_ = [&] {
    if (bad.assigned.empty()) return;
    if (peers_.size() == 1) {
      bad.send_bytes({0xc1, 0xff, 0x00});
      add_peer("good");
    }
  };
  store_.fails = [&](int commit) { return commit == 2; };
  runtime_->post(event::Submitted{some_experiment(3)});
  ASSERT_TRUE(runtime_->run(*this));
  ASSERT_TRUE(done());
  EXPECT_EQ(observer.phases, "loading loaded failed loading loaded ");
  EXPECT_EQ(observer.frames_refused, 1);
  EXPECT_GT(observer.frames_in, 3U + 2U);                 // two HELLOs, three results
  EXPECT_GT(observer.bytes_in, 10 * observer.frames_in);  // of MessagePack
  EXPECT_GT(observer.frames_out, 3U);
  EXPECT_GT(observer.bytes_out, 10 * observer.frames_out);
  EXPECT_GE(observer.assignments, 4);  // one of them to the bad one
  EXPECT_GE(observer.records, store_.state.trials.size() + store_.state.jobs.size());
  EXPECT_GT(observer.turns, 4);
  ASSERT_EQ(observer.all.departed.size(), 1U);
  EXPECT_EQ(observer.all.departed[0].worker, "bad");
  EXPECT_EQ(observer.last.counts.trials[TrialState::kDone], 3);
  EXPECT_EQ(observer.last.counts.campaigns[CampaignState::kDone], 1);
}

// Bug: a name with a line break in it wrote a line of its own into the log. Such names are refused
// now; one with quotes is quoted.
TEST_F(RuntimeTest, WhatPeersSayForgesNoLineOfTheLog) {
  add_peer("a \"event=completed campaign=1 \"");
  runtime_->post(event::Submitted{some_experiment(2)});
  ASSERT_TRUE(runtime_->run(*this));
  ASSERT_TRUE(done());
  std::istringstream lines(log_text_.str());
  int completed = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, HasSubstr(" event="));
    if (line.find(" event=completed ") == std::string::npos) continue;
    EXPECT_THAT(line, HasSubstr("campaign=1 trial="));
    EXPECT_THAT(line, HasSubstr(" job="));
    EXPECT_THAT(line, HasSubstr(" attempt=1 "));
    ++completed;
  }
  EXPECT_EQ(completed, 2);
  EXPECT_THAT(log_text_.str(), HasSubstr(R"(worker="a \"event=completed campaign=1 \"" )"));
}

TEST_F(RuntimeTest, StoppingLetsWorkersLeave) {
  ScriptedPeer& peer = add_peer("a");
  peer.finishes = false;
  each_turn_ = [&] {
    if (!peer.assigned.empty() && !last_.stopping) runtime_->post(event::StopRequested{"enough"});
  };
  until_ = [&] { return last_.stopped; };
  runtime_->post(event::Submitted{some_experiment(1)});
  ASSERT_TRUE(runtime_->run(*this));
  EXPECT_TRUE(last_.stopped);
  EXPECT_TRUE(peer.left);
  ASSERT_EQ(store_.state.jobs.size(), 1U);
  EXPECT_EQ(store_.state.jobs[0].state, JobState::kPending);
  EXPECT_EQ(store_.state.jobs[0].deaths, 0);
}

}  // namespace
}  // namespace lrtune
