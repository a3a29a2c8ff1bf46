// The worker's loop and threads against a socket that plays the coordinator, with the synthetic
// trainer. Every wait is for a message or for the worker's end, with a deadline.
#include "worker/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/eventfd.h>

#include <deque>
#include <future>
#include <latch>
#include <set>
#include <sstream>

#include "common/state_name.h"
#include "common/wire/transport.h"
#include "worker/descriptor.h"
#include "worker/training/synthetic_trainer.h"

namespace lrtune {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = 60s;  // generous: under a sanitizer, on a busy machine

class Coordinator {
 public:
  Coordinator() : socket_(open("tcp://127.0.0.1:*")) {}

  const std::string& endpoint() const { return socket_.endpoint(); }

  // The next message of type `Message`; others before it are passed over (and remembered in
  // `seen`).
  template <typename Message>
  Message expect() {
    const auto end = Clock::now() + kDeadline;
    while (true) {
      while (!waiting_.empty()) {
        const wire::ToCoordinator message = waiting_.front();
        waiting_.pop_front();
        seen.push_back(message);
        if (const auto* found = std::get_if<Message>(&message)) return *found;
      }
      if (Clock::now() > end) {
        ADD_FAILURE() << "the message did not come";
        return {};
      }
      receive();
    }
  }

  void send(const wire::FromCoordinator& message) { send_all({message}); }
  void send_all(const std::vector<wire::FromCoordinator>& messages) {
    const auto frames = wire::encode(std::span<const wire::FromCoordinator>(messages));
    ASSERT_TRUE(frames) << frames.error().message;
    for (const wire::Frame& frame : *frames) send_raw(frame);
  }
  void send_raw(const wire::Frame& frame) {
    EXPECT_EQ(socket_.send(peer_, frame), wire::SendStatus::kSent);
  }

  wire::Hello welcome(const std::string& incarnation = "first") {
    const auto hello = expect<wire::Hello>();
    send(wire::Welcome{incarnation, 50, 60'000, 1});
    return hello;
  }

  // The coordinator's process ends and another one starts on the same port.
  void restart() {
    const std::string endpoint = socket_.endpoint();
    { const wire::RouterSocket closed = std::move(socket_); }
    socket_ = open(endpoint);
    waiting_.clear();
  }

  std::vector<wire::ToCoordinator> seen;

 private:
  static wire::RouterSocket open(const std::string& endpoint) {
    const auto end = Clock::now() + kDeadline;
    auto socket = wire::RouterSocket::bind(endpoint);
    while (!socket && Clock::now() < end) socket = wire::RouterSocket::bind(endpoint);
    if (!socket) throw std::runtime_error(socket.error().message);
    return std::move(*socket);
  }

  void receive() {
    socket_.wait({}, 100ms);
    while (auto incoming = socket_.receive()) {
      peer_ = incoming->peer;
      const auto messages = wire::decode_to_coordinator(incoming->frame);
      ASSERT_TRUE(messages) << messages.error().message;
      waiting_.insert(waiting_.end(), messages->begin(), messages->end());
    }
  }

  wire::RouterSocket socket_;
  std::string peer_;
  std::deque<wire::ToCoordinator> waiting_;
};

class WorkerRuntimeTest : public ::testing::Test {
 protected:
  ~WorkerRuntimeTest() override {
    if (end_.valid()) {
      eventfd_write(stop_.number(), 1);
      end_.wait();
    }
  }

  void start(Trainer& trainer, int slots = 1) {
    WorkerRuntimeOptions options;
    options.core = core_;
    options.endpoint = coordinator_.endpoint();
    options.core.name = "test";
    options.core.slots = slots;
    options.core.resend_after = resend_after_;
    options.core.leave_within = 100ms;
    options.stop_sources.push_back({.descriptor = stop_.number(),
                                    .take =
                                        [this] {
                                          eventfd_t asked = 0;
                                          eventfd_read(stop_.number(), &asked);
                                          return StopNotice{"the test says so", asked > 1};
                                        },
                                    .may_come_again = true});
    const auto log = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log_));
    log->set_pattern("%v");
    end_ = std::async(std::launch::async,
                      [=, &trainer] { return *run_worker(options, trainer, log); });
  }

  wire::Assign assignment(std::int64_t job, Attempt attempt, std::int64_t iterations) {
    wire::Assign assign;
    assign.job.value = job;
    assign.attempt = attempt;
    assign.identity.train.dataset.name = "mnist";
    assign.identity.train.model.name = "lenet";
    assign.identity.train.batch = 100;
    assign.identity.numerics = fast_->numerics();
    assign.identity.data = *fast_->survey(assign.identity.train);
    LrFunction fix;
    fix.k0 = 0.01;
    assign.policy.segments.push_back({fix, kNoEnd, 0});
    assign.plan = {iterations,   std::max<std::int64_t>(1, iterations / 2),
                   Part::kTest,  1000,
                   std::nullopt, false};
    return assign;
  }

  void acknowledge(const wire::Finished& finished) {
    coordinator_.send(wire::Acknowledge{finished.job, finished.attempt, finished.sequence});
  }

  WorkerEnd end() {
    if (end_.wait_for(kDeadline) != std::future_status::ready) {
      ADD_FAILURE() << "the worker does not end";
      return {};
    }
    return end_.get();
  }

  WorkerOptions core_;
  std::ostringstream log_;  // the worker's, once it has ended
  std::chrono::milliseconds resend_after_{100};
  Coordinator coordinator_;
  Descriptor stop_{eventfd(0, EFD_CLOEXEC)};
  std::unique_ptr<Trainer> fast_ = make_synthetic_trainer();
  std::unique_ptr<Trainer> endless_ = make_synthetic_trainer({.iteration_time = 1ms});
  std::future<WorkerEnd> end_;
};

constexpr std::int64_t kEndless = 1'000'000'000;

TEST_F(WorkerRuntimeTest, JoinsAndBeats) {
  start(*fast_, 3);
  const auto hello = coordinator_.welcome();
  EXPECT_EQ(hello.worker, "test");
  EXPECT_EQ(hello.process.size(), 16U);
  EXPECT_EQ(hello.slots, 3);
  EXPECT_EQ(hello.numerics, fast_->numerics());
  coordinator_.expect<wire::Heartbeat>();
  coordinator_.expect<wire::Heartbeat>();
  coordinator_.send(wire::Shutdown{"enough"});
  coordinator_.expect<wire::Goodbye>();
  EXPECT_EQ(end().reason, "enough");
}

TEST_F(WorkerRuntimeTest, AnswersASurvey) {
  start(*fast_);
  coordinator_.welcome();
  coordinator_.send(wire::Survey{4, assignment(1, 1, 10).identity.train});
  const auto surveyed = coordinator_.expect<wire::Surveyed>();
  EXPECT_EQ(surveyed.survey, 4);
  ASSERT_TRUE(surveyed.facts) << surveyed.error;
  EXPECT_EQ(surveyed.facts->train_samples, 60'000);
}

TEST_F(WorkerRuntimeTest, TrainsAJobAndReportsInOrder) {
  start(*fast_);
  coordinator_.welcome();
  const wire::Assign assign = assignment(7, 2, 1000);
  coordinator_.send(assign);
  EXPECT_EQ(coordinator_.expect<wire::Started>(), (wire::Started{JobId{7}, 2}));
  for (const std::int64_t iteration : {0, 500, 1000}) {
    const auto measured = coordinator_.expect<wire::Measured>();
    EXPECT_EQ(measured.point.iteration, iteration);
    EXPECT_EQ(measured.sequence, 1 + iteration / 500);
    coordinator_.send(wire::Acknowledge{measured.job, measured.attempt, measured.sequence});
  }
  const auto finished = coordinator_.expect<wire::Finished>();
  EXPECT_EQ(finished.sequence, 4);
  EXPECT_EQ(finished.outcome.kind, OutcomeKind::kCompleted) << finished.outcome.message;
  const Digest from = initial_state(assign.identity.hash(), assign.seed);
  EXPECT_EQ(finished.outcome.state, state_after(from, assign.policy, 0, 1000));
  acknowledge(finished);
}

TEST_F(WorkerRuntimeTest, ReportsAgainUntilAcknowledged) {
  start(*fast_);
  coordinator_.welcome();
  coordinator_.send(assignment(7, 1, 10));
  const auto first = coordinator_.expect<wire::Finished>();
  const auto second = coordinator_.expect<wire::Finished>();
  EXPECT_EQ(first, second);
  acknowledge(second);
}

TEST_F(WorkerRuntimeTest, TellsProgressWhileItTrains) {
  start(*endless_);
  coordinator_.welcome();
  coordinator_.send(assignment(7, 1, kEndless));
  const auto first = coordinator_.expect<wire::Progress>();
  const auto second = coordinator_.expect<wire::Progress>();
  EXPECT_GT(second.iteration, first.iteration);
}

TEST_F(WorkerRuntimeTest, SlotsTrainSideBySideAndOneMoreWaits) {
  start(*endless_, 2);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, kEndless));
  coordinator_.send(assignment(2, 1, kEndless));
  coordinator_.send(assignment(3, 1, 1));
  coordinator_.expect<wire::Started>();
  coordinator_.expect<wire::Started>();
  coordinator_.send(wire::Cancel{JobId{2}, 1, "paused"});
  EXPECT_EQ(coordinator_.expect<wire::Started>().job, JobId{3});
  EXPECT_EQ(coordinator_.expect<wire::Finished>().job, JobId{3});
}

TEST_F(WorkerRuntimeTest, AWindowSentAheadFlowsThroughWithoutARoundTrip) {
  resend_after_ = 1h;  // each report once
  start(*fast_, 2);
  coordinator_.welcome();
  constexpr std::int64_t kWindow = 1000;
  std::vector<wire::FromCoordinator> window;
  for (std::int64_t job = 1; job <= kWindow; ++job) window.emplace_back(assignment(job, 1, 2));
  coordinator_.send_all(window);
  std::set<std::int64_t> ended;
  for (std::int64_t i = 0; i < kWindow; ++i)  // nothing is acknowledged
    ended.insert(coordinator_.expect<wire::Finished>().job.value);
  EXPECT_EQ(ended.size(), 1000U);
}

// Bug: what the coordinator said could write a line of its own into the log.
TEST_F(WorkerRuntimeTest, LinesAboutAttemptsNameThemAndNobodyForgesOne) {
  start(*endless_);
  coordinator_.welcome("first\nevent=forged");
  coordinator_.send(assignment(1, 3, kEndless));
  coordinator_.expect<wire::Started>();
  coordinator_.send(wire::Cancel{JobId{1}, 3, "paused \"by\" a\nevent=forged"});
  coordinator_.send(assignment(2, 1, 10));
  acknowledge(coordinator_.expect<wire::Finished>());
  coordinator_.send(wire::Shutdown{"enough"});
  coordinator_.expect<wire::Goodbye>();
  end();
  const std::string log = log_.str();
  EXPECT_THAT(log, testing::HasSubstr("event=started job=1 attempt=3 slot=0 iterations="));
  EXPECT_THAT(log, testing::HasSubstr("event=cancelled job=1 attempt=3 "
                                      "reason=\"paused \\\"by\\\" a\\nevent=forged\"\n"));
  EXPECT_THAT(log, testing::HasSubstr("event=finished job=2 attempt=1 outcome=completed "));
  EXPECT_THAT(log, testing::HasSubstr("event=sent_away reason=enough\n"));
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("event=") && !line.starts_with("event=forged")) << line;
  }
}

TEST_F(WorkerRuntimeTest, ACancelledJobStopsAndItsSlotIsUsedAgain) {
  start(*endless_);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, kEndless));
  coordinator_.expect<wire::Started>();
  coordinator_.send(wire::Cancel{JobId{1}, 1, "paused"});
  coordinator_.send(assignment(2, 1, 10));
  const auto finished = coordinator_.expect<wire::Finished>();
  EXPECT_EQ(finished.job, JobId{2});
  acknowledge(finished);
}

TEST_F(WorkerRuntimeTest, ANewerAttemptTakesThePlaceOfTheOlder) {
  start(*endless_);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, kEndless));
  coordinator_.expect<wire::Started>();
  coordinator_.send(assignment(1, 2, 10));
  EXPECT_EQ(coordinator_.expect<wire::Finished>().attempt, 2);
}

TEST_F(WorkerRuntimeTest, ShutdownStopsJobsAndHandsThemBack) {
  start(*endless_, 2);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, kEndless));
  coordinator_.send(assignment(2, 1, kEndless));
  coordinator_.expect<wire::Started>();
  coordinator_.expect<wire::Started>();
  coordinator_.send(wire::Shutdown{"enough"});
  for (int i = 0; i < 2; ++i) {
    const auto finished = coordinator_.expect<wire::Finished>();
    EXPECT_EQ(finished.outcome.kind, OutcomeKind::kStopped);
    acknowledge(finished);
  }
  coordinator_.expect<wire::Goodbye>();
  const WorkerEnd ended = end();
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.reason, "enough");
}

TEST_F(WorkerRuntimeTest, AStopSourceHandsJobsBackAndLeaves) {
  start(*endless_);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, kEndless));
  coordinator_.expect<wire::Started>();
  eventfd_write(stop_.number(), 1);
  EXPECT_EQ(coordinator_.expect<wire::Finished>().outcome.kind, OutcomeKind::kStopped);
  coordinator_.expect<wire::Goodbye>();  // though nobody acknowledges
  EXPECT_EQ(end().reason, "the test says so");
}

TEST_F(WorkerRuntimeTest, ARejectedWorkerExitsWithTheReason) {
  start(*fast_);
  coordinator_.expect<wire::Hello>();
  coordinator_.send(wire::Rejected{"not you"});
  const WorkerEnd ended = end();
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.reason, ::testing::HasSubstr("not you"));
}

TEST_F(WorkerRuntimeTest, AReturnedCoordinatorHearsWhatIsHeldAndGetsAllReports) {
  start(*endless_);
  coordinator_.welcome("first");
  coordinator_.send(assignment(1, 1, kEndless));
  coordinator_.expect<wire::Measured>();
  coordinator_.restart();
  const auto hello = coordinator_.welcome("second");
  EXPECT_THAT(hello.held, ::testing::ElementsAre(wire::HeldAttempt{JobId{1}, 1}));
  EXPECT_EQ(coordinator_.expect<wire::Started>().job, JobId{1});
  EXPECT_EQ(coordinator_.expect<wire::Measured>().sequence, 1);
}

TEST_F(WorkerRuntimeTest, BadFramesAreDropped) {
  start(*fast_);
  coordinator_.welcome();
  coordinator_.send_raw({});
  coordinator_.send_raw({0xC1});
  coordinator_.send_raw(wire::Frame(1000, 0x91));
  coordinator_.send(assignment(7, 1, 10));
  EXPECT_EQ(coordinator_.expect<wire::Finished>().outcome.kind, OutcomeKind::kCompleted);
}

class ThrowingTrainer : public Trainer {
 public:
  explicit ThrowingTrainer(bool survey_throws) : survey_throws_(survey_throws) {}
  Numerics numerics() const override { return make_synthetic_trainer()->numerics(); }
  Result<DataFacts> survey(const TrainSpec& spec) override {
    if (survey_throws_) throw std::runtime_error("survey broke");
    return make_synthetic_trainer()->survey(spec);
  }
  Outcome train(const TrainingJob&, TrainingObserver&, const std::atomic<bool>&) override {
    throw std::runtime_error("training broke");
  }

 private:
  bool survey_throws_;
};

TEST_F(WorkerRuntimeTest, ATrainerThatThrowsFailsItsJobAndNotTheProcess) {
  ThrowingTrainer trainer(false);
  start(trainer);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, 10));
  const auto finished = coordinator_.expect<wire::Finished>();
  EXPECT_EQ(finished.outcome.kind, OutcomeKind::kFailedHere);
  EXPECT_EQ(finished.outcome.message, "the trainer failed: training broke");
}

// Bug: after such an error of CUDA every later job failed at once, and with it its trial.
TEST_F(WorkerRuntimeTest, AWorkerWhoseDeviceIsBrokenReportsLeavesAndExitsToBeStartedAgain) {
  struct BrokenTrainer : ThrowingTrainer {
    BrokenTrainer() : ThrowingTrainer(false) {}
    std::optional<std::string> broken() const override { return "the device is broken"; }
  } trainer;
  start(trainer);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, 10));
  const auto finished = coordinator_.expect<wire::Finished>();
  EXPECT_EQ(finished.outcome.kind, OutcomeKind::kFailedHere);
  acknowledge(finished);
  coordinator_.expect<wire::Goodbye>();
  const WorkerEnd ended = end();
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.reason, "the device is broken");
}

// Its threads hang until they are released; stop flags mean nothing to them.
class HangingTrainer : public ThrowingTrainer {
 public:
  HangingTrainer() : ThrowingTrainer(false) {}
  Outcome train(const TrainingJob&, TrainingObserver& observer, const std::atomic<bool>&) override {
    observer.entered(TrainingPhase::kTraining);
    observer.progressed(1);
    released_.wait();
    return {};
  }
  void release() { released_.count_down(); }

 private:
  std::latch released_{1};
};

TEST_F(WorkerRuntimeTest, AWorkerWithAThreadThatHangsReportsItAndEndsWithoutIt) {
  HangingTrainer trainer;
  core_.watchdog = 300ms;
  start(trainer);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, 10));
  const auto finished = coordinator_.expect<wire::Finished>();
  EXPECT_EQ(finished.outcome.kind, OutcomeKind::kFailedHere);
  EXPECT_EQ(finished.outcome.message,
            "its training thread made no step for 0.3 s, since iteration 1");
  acknowledge(finished);
  coordinator_.expect<wire::Goodbye>();
  const WorkerEnd ended = end();
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(ended.left_behind);
  trainer.release();
}

TEST_F(WorkerRuntimeTest, AThreadThatDoesNotStopIsLeftBehind) {
  HangingTrainer trainer;
  core_.stop_within = 100ms;
  start(trainer);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, 10));
  coordinator_.expect<wire::Started>();
  eventfd_write(stop_.number(), 1);
  const auto finished = coordinator_.expect<wire::Finished>();
  EXPECT_EQ(finished.outcome.kind, OutcomeKind::kStopped);
  acknowledge(finished);
  coordinator_.expect<wire::Goodbye>();
  const WorkerEnd ended = end();
  EXPECT_EQ(ended.code, 0);
  EXPECT_TRUE(ended.left_behind);
  trainer.release();
}

TEST_F(WorkerRuntimeTest, AskedUrgentlyItSaysGoodbyeAndWaitsForNothing) {
  HangingTrainer trainer;
  start(trainer);
  coordinator_.welcome();
  coordinator_.send(assignment(1, 1, 10));
  coordinator_.expect<wire::Started>();
  eventfd_write(stop_.number(), 2);
  coordinator_.expect<wire::Goodbye>();
  const WorkerEnd ended = end();  // whose destruction waits for the thread
  EXPECT_TRUE(ended.left_behind);
  trainer.release();
}

// Regression: a job whose data were gone failed for good instead of going to another worker.
TEST_F(WorkerRuntimeTest, AJobWhoseDataAreNotHereIsRefusedAndNotFailed) {
  ThrowingTrainer trainer(true);
  start(trainer);
  coordinator_.welcome();
  coordinator_.send(wire::Survey{1, assignment(1, 1, 1).identity.train});
  EXPECT_EQ(coordinator_.expect<wire::Surveyed>().error, "the survey failed: survey broke");
  coordinator_.send(assignment(1, 1, 10));
  EXPECT_EQ(coordinator_.expect<wire::Refused>().reason, "the survey failed: survey broke");
}

TEST_F(WorkerRuntimeTest, AJobOfOtherDataIsRefused) {
  start(*fast_);
  coordinator_.welcome();
  wire::Assign other = assignment(1, 1, 10);
  other.identity.data.fingerprint = sha256("other data");
  coordinator_.send(other);
  EXPECT_THAT(coordinator_.expect<wire::Refused>().reason,
              ::testing::HasSubstr("are not those of the job"));

  wire::Assign network = assignment(2, 1, 10);
  network.identity.train.model = {.name = kTorchscript, .file = "own.pt"};
  network.identity.data.network = sha256("another file");
  coordinator_.send(network);
  EXPECT_THAT(coordinator_.expect<wire::Refused>().reason,
              ::testing::HasSubstr("the network own.pt here is not that of the job"));
}

TEST_F(WorkerRuntimeTest, AnEndpointThatIsNoneIsAnError) {
  WorkerRuntimeOptions options;
  options.endpoint = "nowhere";
  const auto log =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_st>());
  const auto ended = run_worker(options, *fast_, log);
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message, ::testing::HasSubstr("cannot connect to 'nowhere'"));
}

TEST_F(WorkerRuntimeTest, HundredsOfShortJobsOnManySlots) {
  resend_after_ = 1h;  // each report once, so that each Finished is a free slot
  start(*fast_, 4);
  coordinator_.welcome();
  std::int64_t assigned = 0;
  std::int64_t done = 0;
  for (; assigned < 4; ++assigned) coordinator_.send(assignment(assigned + 1, 1, 2));
  for (; done < 400; ++done) {
    const auto finished = coordinator_.expect<wire::Finished>();
    ASSERT_EQ(finished.outcome.kind, OutcomeKind::kCompleted) << finished.outcome.message;
    acknowledge(finished);
    if (assigned < 400) coordinator_.send(assignment(++assigned, 1, 2));
  }
  for (const wire::ToCoordinator& message : coordinator_.seen) {
    EXPECT_FALSE(std::holds_alternative<wire::Refused>(message));
  }
}

}  // namespace
}  // namespace lrtune
