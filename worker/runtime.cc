#include "worker/runtime.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "common/logfmt.h"
#include "common/wire/transport.h"
#include "worker/inbox.h"
#include "worker/job_runner.h"
#include "worker/send_queue.h"

namespace lrtune {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLongestWait{1000};
constexpr milliseconds kRetryFullSocket{20};
constexpr milliseconds kSampleProgress{100};
// Where assignments wait for a slot, what is said gathers for so long, or to so many messages: a
// frame for each report would cost either side more than an empty trial.
constexpr milliseconds kGather{1};
// Longer than a lease, and than a coordinator takes to read its store.
constexpr std::chrono::seconds kDeaf{20};
constexpr std::size_t kGatherMessages = 64;
constexpr int kFramesPerTurn = 64;  // so that a flood of frames delays no heartbeat

std::string random_name() {
  if (sodium_init() < 0) return {};
  unsigned char bytes[8];
  randombytes_buf(bytes, sizeof bytes);
  char text[2 * sizeof bytes + 1];
  return sodium_bin2hex(text, sizeof text, bytes, sizeof bytes);
}

WorkerOptions completed(WorkerOptions options, const Trainer& trainer) {
  options.process = random_name();
  options.slots = std::max(options.slots, 1);
  options.numerics = trainer.numerics();
  return options;
}

class Loop {
 public:
  Loop(const WorkerRuntimeOptions& options, wire::DealerSocket socket, Trainer& trainer,
       std::shared_ptr<spdlog::logger> log)
      : stop_sources_(options.stop_sources),
        socket_(std::move(socket)),
        log_owner_(std::move(log)),
        log_(*log_owner_),
        core_(completed(options.core, trainer), Clock::now()),
        runner_(trainer, inbox_, std::max(options.core.slots, 1)) {}

  WorkerEnd run() {
    while (!end_) {
      step(worker_event::Ticked{});
      take_connections();
      take_frames();
      for (const WorkerEvent& event : inbox_.take()) step(event);
      sample_progress();
      if (!may_gather()) flush();
      if (!end_) wait();
    }
    flush();
    return *end_;
  }

  // What was sent goes out, within the socket's linger time.
  void hang_up() { const wire::DealerSocket closed = std::move(socket_); }
  bool abandons_threads() const { return abandons_threads_; }

 private:
  void step(const WorkerEvent& event) {
    for (const WorkerAction& action : core_.step(event, Clock::now())) {
      std::visit([this](const auto& a) { carry_out(a); }, action);
    }
  }

  void take_connections() {
    const std::uint64_t connections = socket_.connections();
    // It is tried again, so that a key that is admitted late is let in; but said once.
    if (const auto refusal = socket_.refusal(); refusal != said_refusal_) {
      said_refusal_ = refusal;
      if (refusal) log_.error(LogLine("no_connection").add("reason", *refusal).text());
    }
    if (connections == connections_) return;
    connections_ = connections;
    log_.info(LogLine("connected").add("connection", connections).text());
    step(worker_event::Connected{});
  }

  void take_frames() {
    for (int i = 0; i < kFramesPerTurn; ++i) {
      const auto frame = socket_.receive();
      if (!frame) return listen_anew();
      heard_at_ = Clock::now();
      auto messages = wire::decode_from_coordinator(*frame);
      if (!messages) {
        log_.warn(LogLine("frame_dropped")
                      .add("bytes", frame->size())
                      .add("reason", messages.error().message)
                      .text());
        continue;
      }
      for (wire::FromCoordinator& message : *messages) {
        note(message);
        step(worker_event::Received{std::move(message)});
      }
    }
    more_frames_ = true;
  }

  // A coordinator that is there says something every second. If the connection is at fault, another
  // one helps; if there is none, nothing is lost.
  void listen_anew() {
    const auto now = Clock::now();
    if (now - heard_at_ < kDeaf) return;
    heard_at_ = now;
    log_.info(LogLine("deaf").add("seconds", kDeaf.count()).text());
    socket_.connect_anew();
  }

  void sample_progress() {
    const auto now = Clock::now();
    if (now < next_sample_) return;
    next_sample_ = now + kSampleProgress;
    for (const auto& event : runner_.progress()) step(event);
  }

  bool may_gather() {
    if (queue_.empty() || queue_.stalled() || queue_.size() >= kGatherMessages) return false;
    if (!core_.has_waiting()) return false;
    const auto now = Clock::now();
    if (!gathering_since_) gathering_since_ = now;
    return now - *gathering_since_ < kGather;
  }

  void flush() {
    gathering_since_.reset();
    const auto dropped =
        queue_.flush([this](std::span<const std::uint8_t> frame) { return socket_.send(frame); });
    for (const std::string& why : dropped)
      log_.error(LogLine("message_dropped").add("reason", why).text());
  }

  milliseconds longest_wait() {
    if (std::exchange(more_frames_, false)) return milliseconds{0};
    auto longest = kLongestWait;
    if (!queue_.empty()) longest = std::min(longest, gathering_since_ ? kGather : kRetryFullSocket);
    if (runner_.busy()) longest = std::min(longest, kSampleProgress);
    if (const auto deadline = core_.next_deadline()) {
      const auto left = std::chrono::ceil<milliseconds>(*deadline - Clock::now());
      longest = std::clamp(left, milliseconds{0}, longest);
    }
    return longest;
  }

  void wait() {
    std::vector<int> descriptors{inbox_.descriptor()};
    for (const StopSource& source : stop_sources_) descriptors.push_back(source.descriptor);
    for (const int readable : socket_.wait(descriptors, longest_wait())) {
      const auto source =
          std::find_if(stop_sources_.begin(), stop_sources_.end(),
                       [&](const StopSource& s) { return s.descriptor == readable; });
      if (source == stop_sources_.end()) continue;  // the inbox
      const StopNotice notice = source->take();
      if (!source->may_come_again) stop_sources_.erase(source);
      log_.info(LogLine("stop").add("at_once", notice.at_once).add("reason", notice.reason).text());
      step(worker_event::StopRequested{notice.reason, notice.at_once});
    }
  }

  // All that the worker is told or says about an attempt begins so.
  static LogLine about(std::string_view event, JobId job, Attempt attempt) {
    LogLine line(event);
    line.add("job", job).add("attempt", attempt);
    return line;
  }

  void note(const wire::FromCoordinator& message) {
    if (const auto* welcome = std::get_if<wire::Welcome>(&message)) {
      log_.info(LogLine("welcome")
                    .add("incarnation", welcome->incarnation)
                    .add("heartbeat_ms", welcome->heartbeat_ms)
                    .add("lease_ms", welcome->lease_ms)
                    .text());
    } else if (const auto* cancel = std::get_if<wire::Cancel>(&message)) {
      log_.info(
          about("cancelled", cancel->job, cancel->attempt).add("reason", cancel->reason).text());
    } else if (const auto* shutdown = std::get_if<wire::Shutdown>(&message)) {
      log_.info(LogLine("sent_away").add("reason", shutdown->reason).text());
    }
  }

  void note(const wire::ToCoordinator& message) {
    if (const auto* refused = std::get_if<wire::Refused>(&message)) {
      log_.warn(
          about("refused", refused->job, refused->attempt).add("reason", refused->reason).text());
    } else if (const auto* finished = std::get_if<wire::Finished>(&message)) {
      const Outcome& outcome = finished->outcome;
      LogLine line = about("finished", finished->job, finished->attempt);
      line.add("outcome", name_of(outcome.kind)).add("iteration", outcome.iteration);
      if (!outcome.message.empty()) line.add("message", outcome.message);
      log_.info(line.text());
    } else if (const auto* surveyed = std::get_if<wire::Surveyed>(&message)) {
      LogLine line("surveyed");
      line.add("survey", surveyed->survey);
      if (!surveyed->facts) line.add("reason", surveyed->error);
      log_.info(line.text());
    }
  }

  void carry_out(const worker_action::Send& action) {
    note(action.message);
    queue_.push(action.message);
  }
  void carry_out(const worker_action::StartSurvey& action) { runner_.survey(action); }
  void carry_out(const worker_action::StartJob& action) {
    const wire::Assign& job = action.assignment;
    log_.info(about("started", job.job, job.attempt)
                  .add("slot", action.slot)
                  .add("iterations", job.plan.iterations)
                  .add("policy", describe(job.policy))
                  .text());
    runner_.start(action);
  }
  void carry_out(const worker_action::StopJob& action) {
    log_.info(about("stopping", action.job, action.attempt).text());
    runner_.stop(action.job, action.attempt);
  }
  void carry_out(const worker_action::Exit& action) {
    end_ = WorkerEnd{action.code, action.reason};
    abandons_threads_ = action.abandons_threads;
  }

  std::vector<StopSource> stop_sources_;
  wire::DealerSocket socket_;
  std::shared_ptr<spdlog::logger> log_owner_;
  spdlog::logger& log_;
  WorkerCore core_;
  SendQueue queue_;
  std::uint64_t connections_ = 0;
  Clock::time_point heard_at_ = Clock::now();
  std::optional<std::string> said_refusal_;
  bool more_frames_ = false;
  std::optional<Clock::time_point> gathering_since_;  // the oldest of queue_ was put there
  Clock::time_point next_sample_{};
  std::optional<WorkerEnd> end_;
  bool abandons_threads_ = false;
  Inbox inbox_;
  JobRunner runner_;  // last: its threads use the inbox until they have ended
};

}  // namespace

Result<WorkerEnd> run_worker(const WorkerRuntimeOptions& options, Trainer& trainer,
                             const std::shared_ptr<spdlog::logger>& log) {
  auto socket = wire::DealerSocket::connect(options.endpoint, {}, options.security);
  if (!socket) return tl::unexpected(socket.error());
  const auto loop = std::make_shared<Loop>(options, std::move(*socket), trainer, log);
  WorkerEnd end = loop->run();
  if (loop->abandons_threads()) {
    loop->hang_up();
    end.left_behind = loop;
  }
  return end;
}

}  // namespace lrtune
