// The worker's state machine against arbitrary sequences of events: duplicated, late, senseless.
// After each step its invariants hold, and so do promises that can be seen from outside.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/support/wire_samples.h"
#include "worker/core/worker_core.h"

namespace lrtune {
namespace {

using namespace std::chrono_literals;
using Key = std::pair<std::int64_t, Attempt>;

class Walk {
 public:
  explicit Walk(std::uint32_t seed)
      : random_(seed), slots_(1 + static_cast<int>(below(3))), core_(options(), now_) {}

  void run(int steps) {
    for (int i = 0; i < steps && !exited_; ++i) {
      if (below(3) == 0) now_ += std::chrono::milliseconds(below(1500));
      step(random_event());
    }
    if (!exited_) step(worker_event::StopRequested{"end"});
    for (int i = 0; i < 100 && !exited_; ++i) {  // it must leave once its threads have ended
      if (!threads_.empty()) {
        finish(threads_.begin()->first, OutcomeKind::kStopped);
      } else {
        now_ += 2s;
        step(worker_event::Ticked{});
      }
    }
    EXPECT_TRUE(exited_) << "it never left";
  }

  std::size_t jobs_run() const { return jobs_run_; }
  bool abandoned() const { return abandoned_; }

 private:
  struct Thread {
    int slot = 0;
    bool started = false;
    bool stop = false;
    std::int64_t iteration = 0;
  };

  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_()) % limit; }

  WorkerOptions options() {
    WorkerOptions options;
    options.slots = slots_;
    options.most_waiting = 1 + below(4);
    if (below(2) == 0) options.watchdog = std::chrono::seconds(20);
    if (below(4) == 0) options.walltime = std::chrono::seconds(120);
    options.leave_before = std::chrono::seconds(10);
    options.numerics = wire::testing::sample_assign().identity.numerics;
    return options;
  }

  template <typename Message>
  Message addressed(Message message = {}) {
    message.job.value = 1 + below(4);
    message.attempt = 1 + below(3 + steps_ / 20);
    return message;
  }

  // A store of another history gives the same numbers again.
  wire::Welcome welcome() {
    if (below(10) == 0) {
      ++history_;
      ever_started_.clear();
    }
    return {std::to_string(history_) + "-1", 1000, 5000, 500};
  }

  WorkerEvent random_message() {
    const auto received = [](wire::FromCoordinator message) {
      return worker_event::Received{std::move(message)};
    };
    const std::uint32_t dice = below(40);
    if (dice < 12) return received(addressed(wire::testing::sample_assign()));
    if (dice < 22) {
      auto acknowledge = addressed(wire::Acknowledge{});
      acknowledge.sequence = 1 + below(6);
      return received(acknowledge);
    }
    if (dice < 27) return received(addressed(wire::Cancel{}));
    if (dice < 33) return received(welcome());
    if (dice < 36) return received(wire::Introduce{});
    if (dice < 38) return received(wire::Survey{below(3), {}});
    if (below(30) == 0) return received(wire::Shutdown{"no more work"});
    if (below(60) == 0) return worker_event::StopRequested{"at once", true};
    return received(wire::Heartbeat{});
  }

  WorkerEvent random_event() {
    const std::uint32_t dice = below(10);
    if (dice < 5 || threads_.empty()) return random_message();
    if (dice == 5) return worker_event::Connected{};
    if (dice == 6) return worker_event::Ticked{};
    auto thread = threads_.begin();
    std::advance(thread, below(static_cast<std::uint32_t>(threads_.size())));
    const auto [job, attempt] = thread->first;
    if (!thread->second.started) {
      thread->second.started = true;
      return worker_event::JobStarted{JobId{job}, attempt};
    }
    if (below(4) == 0) {
      const OutcomeKind kind =
          thread->second.stop ? OutcomeKind::kStopped : OutcomeKind::kCompleted;
      threads_.erase(thread);
      return worker_event::JobFinished{JobId{job}, attempt, Outcome{kind, 1, {}, ""}};
    }
    ++thread->second.iteration;
    if (below(2) == 0) {
      return worker_event::JobProgressed{JobId{job}, attempt, thread->second.iteration,
                                         static_cast<TrainingPhase>(below(5))};
    }
    return worker_event::JobMeasured{JobId{job}, attempt, MetricPoint{}};
  }

  void finish(Key key, OutcomeKind kind) {
    threads_.erase(key);
    step(worker_event::JobFinished{JobId{key.first}, key.second, Outcome{kind, 1, {}, ""}});
  }

  void step(const WorkerEvent& event) {
    ++steps_;
    for (const WorkerAction& action : core_.step(event, now_)) {
      ASSERT_FALSE(exited_) << "an action after Exit";
      std::visit([&](const auto& a) { carry_out(a); }, action);
    }
    core_.check_invariants();
    EXPECT_TRUE(!exited_ || !core_.next_deadline()) << "it still waits for something";
  }

  void carry_out(const worker_action::StartJob& action) {
    ++jobs_run_;
    const Key key{action.assignment.job.value, action.assignment.attempt};
    EXPECT_TRUE(ever_started_.insert(key).second) << "an attempt is run once";
    highest_.erase(key);
    for (const auto& [other, thread] : threads_)
      EXPECT_NE(thread.slot, action.slot) << "the slot is taken";
    EXPECT_LT(action.slot, slots_);
    threads_[key] = Thread{action.slot};
  }

  void carry_out(const worker_action::StopJob& action) {
    const auto thread = threads_.find({action.job.value, action.attempt});
    ASSERT_NE(thread, threads_.end()) << "nothing to stop";
    EXPECT_FALSE(thread->second.stop) << "stopped twice";
    thread->second.stop = true;
  }

  void carry_out(const worker_action::Send& action) {
    std::visit([&](const auto& message) { sent(message); }, action.message);
  }

  // Numbers of an attempt start at 1 and are never skipped; the same number is always the same
  // report.
  template <typename Report>
  void numbered(const Report& report) {
    std::int64_t& highest = highest_[{report.job.value, report.attempt}];
    EXPECT_LE(report.sequence, highest + 1);
    EXPECT_GE(report.sequence, 1);
    highest = std::max(highest, report.sequence);
  }

  void sent(const wire::Measured& message) { numbered(message); }
  void sent(const wire::Finished& message) { numbered(message); }
  template <typename Other>
  void sent(const Other&) {}

  void carry_out(const worker_action::StartSurvey&) {}
  void carry_out(const worker_action::Exit& action) {
    exited_ = true;
    abandoned_ = action.abandons_threads;
  }

  std::mt19937 random_;
  WorkerTime now_{};
  int slots_;
  WorkerCore core_;
  std::uint32_t steps_ = 0;
  int history_ = 0;
  bool exited_ = false;
  bool abandoned_ = false;
  std::size_t jobs_run_ = 0;
  std::map<Key, Thread> threads_;
  std::set<Key> ever_started_;
  std::map<Key, std::int64_t> highest_;
};

TEST(WorkerCoreRandom, AnySequenceOfEventsKeepsTheInvariants) {
  std::size_t jobs = 0;
  std::size_t abandoned = 0;
  for (std::uint32_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Walk walk(seed);
    ASSERT_NO_THROW(walk.run(300));
    jobs += walk.jobs_run();
    abandoned += walk.abandoned() ? 1U : 0U;
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(jobs, 10'000U) << "the walks must do something";
  EXPECT_GT(abandoned, 20U) << "some of them leave threads behind";
}

}  // namespace
}  // namespace lrtune
