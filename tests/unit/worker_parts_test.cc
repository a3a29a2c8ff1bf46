// The parts of the worker's loop one by one: inbox, threads, send queue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <latch>
#include <thread>

#include "common/wire/codec.h"
#include "worker/inbox.h"
#include "worker/send_queue.h"
#include "worker/stop_signals.h"
#include "worker/task_thread.h"

namespace lrtune {
namespace {

bool readable(int descriptor) {
  pollfd item{descriptor, POLLIN, 0};
  return poll(&item, 1, 0) == 1;
}

TEST(Inbox, IsReadableExactlyWhileSomethingIsThere) {
  Inbox inbox;
  EXPECT_FALSE(readable(inbox.descriptor()));
  EXPECT_TRUE(inbox.take().empty());
  inbox.push(worker_event::Ticked{});
  inbox.push(worker_event::Connected{});
  EXPECT_TRUE(readable(inbox.descriptor()));
  const auto events = inbox.take();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<worker_event::Ticked>(events[0]));
  EXPECT_TRUE(std::holds_alternative<worker_event::Connected>(events[1]));
  EXPECT_FALSE(readable(inbox.descriptor()));
}

TEST(Inbox, LosesNothingOfManyThreads) {
  Inbox inbox;
  constexpr int kThreads = 4;
  constexpr int kEach = 1000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) inbox.push(worker_event::Ticked{});
    });
  }
  std::size_t taken = 0;
  while (taken < kThreads * kEach) {
    pollfd item{inbox.descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&item, 1, 60'000), 1);
    taken += inbox.take().size();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(inbox.take().empty());
}

TEST(TaskThread, CarriesOutTasksInOrderOnOneThread) {
  std::vector<int> order;
  std::vector<std::thread::id> ids;
  std::latch done(1);
  TaskThread thread;
  for (int i = 0; i < 10; ++i) {
    thread.post([&, i] {
      order.push_back(i);
      ids.push_back(std::this_thread::get_id());
    });
  }
  thread.post([&] { done.count_down(); });
  done.wait();
  EXPECT_THAT(order, ::testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(ids, ::testing::Each(ids.front()));
  EXPECT_NE(ids.front(), std::this_thread::get_id());
}

std::vector<wire::ToCoordinator> decoded(const std::vector<wire::Frame>& frames) {
  std::vector<wire::ToCoordinator> all;
  for (const wire::Frame& frame : frames) {
    const auto messages = wire::decode_to_coordinator(frame);
    if (!messages) ADD_FAILURE() << messages.error().message;
    if (messages) all.insert(all.end(), messages->begin(), messages->end());
  }
  return all;
}

class SendQueueTest : public ::testing::Test {
 protected:
  void flush() {
    const auto dropped = queue_.flush([this](std::span<const std::uint8_t> frame) {
      if (connected_) frames_.emplace_back(frame.begin(), frame.end());
      return connected_;
    });
    dropped_.insert(dropped_.end(), dropped.begin(), dropped.end());
  }

  SendQueue queue_;
  bool connected_ = true;
  std::vector<wire::Frame> frames_;
  std::vector<std::string> dropped_;
};

TEST_F(SendQueueTest, MessagesOfATurnShareAFrame) {
  queue_.push(wire::Started{JobId{1}, 1});
  queue_.push(wire::Heartbeat{});
  flush();
  EXPECT_EQ(frames_.size(), 1U);
  EXPECT_EQ(decoded(frames_),
            (std::vector<wire::ToCoordinator>{wire::Started{JobId{1}, 1}, wire::Heartbeat{}}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SendQueueTest, WithoutAConnectionNewerCopiesReplaceOlder) {
  connected_ = false;
  const wire::Hello early{"w", "p", 1, {"synthetic 1", "cpu", "none", 1, "channels_last"}, {}};
  wire::Hello late = early;
  late.held.push_back({JobId{1}, 1});
  for (int hours = 0; hours < 100; ++hours) {
    for (std::int64_t report = 1; report <= 3; ++report)
      queue_.push(wire::Measured{JobId{1}, 1, report, {}});
    queue_.push(wire::Progress{JobId{1}, 1, hours});
    queue_.push(wire::Progress{JobId{2}, 1, hours});
    queue_.push(wire::Heartbeat{});
    queue_.push(early);
    queue_.push(wire::Refused{JobId{9}, 1, "no slot is free"});
    flush();
  }
  queue_.push(late);
  EXPECT_EQ(queue_.size(), 8U);
  connected_ = true;
  flush();
  const auto sent = decoded(frames_);
  ASSERT_EQ(sent.size(), 8U);
  EXPECT_EQ(sent[0], (wire::ToCoordinator{wire::Measured{JobId{1}, 1, 1, {}}}));
  EXPECT_EQ(sent[2], (wire::ToCoordinator{wire::Measured{JobId{1}, 1, 3, {}}}));
  EXPECT_EQ(sent[3], (wire::ToCoordinator{wire::Progress{JobId{1}, 1, 99}}));
  EXPECT_EQ(sent[7], wire::ToCoordinator{late});
}

TEST_F(SendQueueTest, NothingIsLostWhenTheSocketIsFullInBetween) {
  for (std::int64_t i = 1; i <= 500; ++i) queue_.push(wire::Started{JobId{i}, 1});
  int room = 3;
  while (!queue_.empty()) {
    queue_.flush([&](std::span<const std::uint8_t> frame) {
      if (room == 0) return false;
      --room;
      frames_.emplace_back(frame.begin(), frame.end());
      return true;
    });
    room = 1;
  }
  const auto sent = decoded(frames_);
  ASSERT_EQ(sent.size(), 500U);
  for (std::int64_t i = 1; i <= 500; ++i) {
    EXPECT_EQ(sent[static_cast<std::size_t>(i - 1)],
              (wire::ToCoordinator{wire::Started{JobId{i}, 1}}));
  }
}

TEST_F(SendQueueTest, AMessageThatCannotBeEncodedIsDroppedAlone) {
  wire::Hello huge{"w", "p", 1, {"synthetic 1", "cpu", "none", 1, "channels_last"}, {}};
  for (std::int64_t i = 1; i < 30'000; ++i) huge.held.push_back({JobId{i}, 1});
  queue_.push(wire::Started{JobId{1}, 1});
  queue_.push(huge);
  queue_.push(wire::Started{JobId{2}, 1});
  flush();
  EXPECT_EQ(decoded(frames_).size(), 2U);
  EXPECT_THAT(dropped_, ::testing::ElementsAre(::testing::HasSubstr("a hello message of")));
  EXPECT_TRUE(queue_.empty());
}

TEST(StopSignals, TellWhichSignalCame) {
  auto signals = StopSignals::block();
  ASSERT_TRUE(signals) << signals.error().message;
  EXPECT_FALSE(readable(signals->descriptor()));
  pthread_kill(pthread_self(), SIGINT);
  EXPECT_TRUE(readable(signals->descriptor()));
  EXPECT_EQ(signals->take(), "SIGINT");
  signals->let_kill();
  // A shell's background jobs ignore SIGINT, and so do their children.
  std::signal(SIGINT, SIG_DFL);
  EXPECT_EXIT(raise(SIGINT), ::testing::KilledBySignal(SIGINT), "")
      << "a second one ends the process";
}

TEST(WatchProcess, BecomesReadableWhenItEnds) {
  int alive[2];
  ASSERT_EQ(pipe(alive), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // lives until the test closes the pipe
    close(alive[1]);
    char byte = 0;
    _exit(read(alive[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(alive[0]);
  const auto watched = watch_process(child);
  ASSERT_TRUE(watched) << watched.error().message;
  EXPECT_FALSE(readable(watched->number()));
  close(alive[1]);
  pollfd item{watched->number(), POLLIN, 0};
  EXPECT_EQ(poll(&item, 1, 60'000), 1);
}

TEST(WatchProcess, NamesAProcessThatIsNotThere) {
  const auto watched = watch_process(0x7FFFFFFF);
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().message, "cannot watch process 2147483647: No such process");
}

}  // namespace
}  // namespace lrtune
