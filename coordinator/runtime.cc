#include "coordinator/runtime.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/logfmt.h"
#include "common/wire/codec.h"
#include "coordinator/record_log.h"

namespace lrtune {
namespace {

using std::chrono::ceil;
using std::chrono::milliseconds;

constexpr int kMaxFailedCommits = 3;        // in a row, each with a rebuilt core
constexpr std::size_t kMostRefused = 4096;  // peers that are remembered
constexpr const char* kUnreadable = "it sent a frame that cannot be read";
constexpr const char* kRefused = "a frame of it was refused; the coordinator's log says why";
constexpr milliseconds kOutboxRetry{10};  // ZeroMQ does not tell when a peer reads again

// The only place of the coordinator that reads the clocks.
Now read_clocks() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return Now{std::chrono::steady_clock::now(),
             std::chrono::duration_cast<milliseconds>(wall).count()};
}

std::string random_name() {
  std::array<unsigned char, 8> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string name;
  for (const unsigned char byte : bytes) name += fmt::format("{:02x}", byte);
  return name;
}

RuntimeObserver::Seconds since(SteadyTime start) {
  return std::chrono::steady_clock::now() - start;
}

template <typename T, typename... Kinds>
bool holds(const std::variant<Kinds...>& one) {
  return std::holds_alternative<T>(one);
}

// A worker's key gives no orders, a client's trains nothing.
Result<std::vector<wire::ToCoordinator>> allowed_messages(const wire::Incoming& incoming) {
  auto messages = wire::decode_to_coordinator(incoming.frame);
  if (!messages || incoming.role == wire::PeerRole::kUnauthenticated) return messages;
  const bool client = incoming.role == wire::PeerRole::kClient;
  for (const wire::ToCoordinator& message : *messages) {
    if (wire::is_from_client(message) == client) continue;
    return fail(fmt::format("the key '{}' is admitted as a {}'s, which may not say this",
                            incoming.key_name, name_of(incoming.role)));
  }
  return messages;
}

}  // namespace

Runtime::Runtime(wire::RouterSocket socket, Store& store, RuntimeOptions options,
                 std::shared_ptr<spdlog::logger> log)
    : socket_(std::move(socket)),
      store_(store),
      options_(std::move(options)),
      observer_(options_.observer != nullptr ? *options_.observer : nobody_),
      log_(std::move(log)),
      outbox_(
          [this](const PeerId& peer, std::span<const std::uint8_t> frame) {
            const wire::SendStatus status = socket_.send(peer, frame);
            if (status == wire::SendStatus::kSent) observer_.sent(frame.size());
            return status;
          },
          options_.outbox_bytes),
      greetings_(options_.greetings) {}

void Runtime::post(Event event) {
  if (holds<event::Submitted>(event) || holds<event::StopRequested>(event))
    orders_.push_back(event);
  posted_.push_back(std::move(event));
}

void Runtime::worker_ended(const std::string& worker, const std::string& reason) {
  EndedProcess ended{worker, reason, now_.steady, {}};
  if (const auto found = peers_.find(worker); found != peers_.end()) {
    ended.peer = found->second;
    outbox_.drop(ended.peer);
    forget_peer(PeerId(ended.peer));
  }
  ended_.push_back(std::move(ended));
}

bool Runtime::has_finished(const std::string& worker) const {
  const auto found = peers_.find(worker);
  return found != peers_.end() && finished_.contains(found->second);
}

void Runtime::forget_peer(const PeerId& peer) {
  std::erase_if(peers_, [&](const auto& entry) { return entry.second == peer; });
  std::erase_if(processes_, [&](const auto& entry) { return !peers_.contains(entry.first); });
  finished_.erase(peer);
  left_.erase(peer);
}

Result<void> Runtime::run(RuntimeWatcher& watcher) {
  now_ = read_clocks();
  if (auto built = rebuild(); !built) return built;
  do {
    if (auto turned = turn(watcher); !turned) return turned;
    if (auto looked = look_at_store(); !looked) return looked;
  } while (watch(watcher));
  return {};
}

// Between commits: a coordinator with nothing to write would miss nothing until it is too late.
Result<void> Runtime::look_at_store() {
  constexpr std::chrono::seconds kLookEvery{1};
  if (now_.steady - last_look_ < kLookEvery) return {};
  last_look_ = now_.steady;
  const auto mended = store_.look();
  if (!mended) {
    log_->error(LogLine("store_out_of_place").add("reason", mended.error().message).text());
    return rebuild();
  }
  if (!mended->empty()) {
    log_->warn(LogLine("store_mended").add("reason", *mended).text());
  }
  return {};
}

Result<void> Runtime::turn(RuntimeWatcher& watcher) {
  const std::vector<int> ready = socket_.wait(watcher.descriptors(), longest_wait());
  now_ = read_clocks();
  Actions& actions = turn_;
  actions.clear();
  take_frames(actions);  // first: who ended may have said HELLO just before
  for (const int descriptor : ready) watcher.readable(descriptor, now_);
  post_ended();
  take_posted(actions);
  const auto deadline = core_->next_deadline();
  if (deadline && *deadline <= now_.steady) step(event::Ticked{}, actions);

  outbox_.flush();
  auto done = carry_out(actions);
  post_lost();
  observer_.turned(since(now_.steady));
  return done;
}

// Throws the core away and makes it again from what is on disk.
Result<void> Runtime::rebuild() {
  observer_.loading();
  auto stored = store_.load();
  if (!stored) return fail("cannot read the store: " + stored.error().message);
  CoreOptions options = options_.core;
  if (options.incarnation.empty()) options.incarnation = store_.history() + '-' + random_name();
  // A core that is rebuilt within one run finds its workers alive.
  options.workers_survive = options.workers_survive || core_.has_value();
  log_->info(LogLine("loaded")
                 .add("incarnation", options.incarnation)
                 .add("campaigns", stored->campaigns.size())
                 .add("trials", stored->trials.size())
                 .text());
  outbox_.clear();
  core_.emplace(std::move(options), std::move(*stored), now_);
  posted_.assign(orders_.begin(), orders_.end());
  watch_due_ = true;
  observer_.loaded();
  return {};
}

void Runtime::step(const Event& event, Actions& actions) { core_->step(event, now_, actions); }

void Runtime::take_posted(Actions& actions) {
  for (const Event& event : std::exchange(posted_, {})) {
    if (const auto* lost = std::get_if<event::PeerLost>(&event)) {
      log_->warn(LogLine("peer_lost").add("reason", lost->reason).text());
    } else if (const auto* stop = std::get_if<event::StopRequested>(&event)) {
      log_->info(LogLine("stop").add("reason", stop->reason).text());
    }
    watch_due_ = true;
    step(event, actions);
  }
}

void Runtime::take_frames(Actions& actions) {
  more_frames_ = false;
  for (std::size_t taken = 0; auto incoming = socket_.receive(); ++taken) {
    observer_.received(incoming->frame.size());
    if (refused_.contains(incoming->peer)) {
      send_to(incoming->peer, {wire::Rejected{kRefused}});
    } else if (auto messages = allowed_messages(*incoming)) {
      for (wire::ToCoordinator& message : *messages) {
        const auto* hello = std::get_if<wire::Hello>(&message);
        if (hello != nullptr && !greetings_.pays(incoming->peer, hello->held.size(), now_.steady)) {
          refuse_peer(*incoming, "it says hello too often");
          break;
        }
        note_peer(incoming->peer, message);
        if (!completed(incoming->peer, message)) continue;
        step(event::Received{incoming->peer, std::move(message)}, actions);
      }
    } else {
      refuse_peer(*incoming, fmt::format("{}: {}", kUnreadable, messages.error().message));
    }
    if (taken + 1 >= options_.frames_per_turn) {
      more_frames_ = true;
      return;
    }
  }
}

// False if it is answered already: with an error.
bool Runtime::completed(const PeerId& peer, wire::ToCoordinator& message) {
  auto* submit = std::get_if<wire::Submit>(&message);
  if (submit == nullptr || !options_.complete_submission) return true;
  auto done = options_.complete_submission(*submit);
  if (!done) {
    send_to(peer, {wire::Answer{submit->request, std::move(done.error().message),
                                nlohmann::json::object()}});
  }
  return done.has_value();
}

void Runtime::note_peer(const PeerId& peer, const wire::ToCoordinator& message) {
  if (const auto* hello = std::get_if<wire::Hello>(&message)) {
    note_hello(peer, *hello);
  } else if (const auto* finished = std::get_if<wire::Finished>(&message)) {
    const OutcomeKind kind = finished->outcome.kind;
    if (kind != OutcomeKind::kStopped && kind != OutcomeKind::kFailedHere) finished_.insert(peer);
  } else if (std::holds_alternative<wire::Goodbye>(message)) {
    left_.insert(peer);
    std::erase_if(ended_, [&](const EndedProcess& ended) { return ended.peer == peer; });
  }
}

void Runtime::note_hello(const PeerId& peer, const wire::Hello& hello) {
  log_->info(LogLine("hello")
                 .add("worker", hello.worker)
                 .add("process", hello.process)
                 .add("slots", hello.slots)
                 .add("device", hello.numerics.device)
                 .add("held", hello.held.size())
                 .text());
  // A process that has ended is not here, although its HELLO is read only now. The next one of that
  // name starts later than the last words of this one last.
  for (EndedProcess& ended : ended_) {
    if (ended.worker != hello.worker || (!ended.peer.empty() && ended.peer != peer)) continue;
    ended.peer = peer;
    return;
  }
  if (const auto before = peers_.find(hello.worker);
      before != peers_.end() && before->second != peer) {
    finished_.erase(before->second);
    // One that came back by another connection is no other.
    const bool same_process = processes_[hello.worker] == hello.process;
    if (left_.erase(before->second) == 0 && !same_process) warn_of_same_name(hello);
  }
  left_.erase(peer);
  peers_[hello.worker] = peer;
  processes_[hello.worker] = hello.process;
}

void Runtime::warn_of_same_name(const wire::Hello& hello) {
  log_->warn(LogLine("same_name")
                 .add("worker", hello.worker)
                 .add("process", hello.process)
                 .add("hint",
                      "an earlier process of this name was not seen to leave; if it is still "
                      "there, give each a --name of its own")
                 .text());
}

// What such a peer holds would never end: it repeats the frame, and nobody else gets its job. So it
// is sent away, and its jobs go to others.
void Runtime::refuse_peer(const wire::Incoming& incoming, const std::string& why) {
  observer_.refused();
  if (refused_.size() >= kMostRefused) refused_.clear();
  refused_.insert(incoming.peer);
  const auto worker = std::ranges::find(
      peers_, incoming.peer, [](const auto& entry) -> const PeerId& { return entry.second; });
  log_->warn(LogLine("frame_refused")
                 .add("worker", worker == peers_.end() ? "" : worker->first)
                 .add("key", incoming.key_name)
                 .add("bytes", incoming.frame.size())
                 .add("reason", why)
                 .text());
  forget_peer(incoming.peer);
  post(event::PeerLost{incoming.peer, fmt::format("a frame of {} bytes was refused: {}",
                                                  incoming.frame.size(), why)});
  send_to(incoming.peer, {wire::Rejected{why}});
}

Result<void> Runtime::carry_out(Actions& actions) {
  if (!actions.records.empty()) {
    const SteadyTime began = std::chrono::steady_clock::now();
    if (auto committed = store_.commit(actions.records); !committed) {
      log_->error(LogLine("commit_failed")
                      .add("records", actions.records.size())
                      .add("reason", committed.error().message)
                      .text());
      observer_.commit_failed();
      if (++failed_commits_ >= kMaxFailedCommits) {
        return fail(fmt::format("the store cannot be written ({} times in a row): {}",
                                failed_commits_, committed.error().message));
      }
      return rebuild();
    }
    failed_commits_ = 0;
    // It is on disk: a core that is made anew takes back no pause that was ordered since.
    for (Event& order : orders_) {
      if (auto* submitted = std::get_if<event::Submitted>(&order)) submitted->ends_pause = false;
    }
    observer_.committed(actions.records, since(began));
  }
  watch_due_ = watch_due_ || std::ranges::any_of(actions.records, [](const Record& record) {
                 return holds<CampaignRecord>(record);
               });
  const auto assignments = std::ranges::count_if(
      actions.sends, [](const Send& s) { return holds<wire::Assign>(s.message); });
  send_all(actions.sends);
  if (assignments > 0) observer_.dispatched(assignments, since(now_.steady));
  observer_.stepped(actions.facts);
  log_turn(actions);
  return {};
}

// After what was sent, so that no worker waits for it.
void Runtime::log_turn(const Actions& actions) {
  for (const StepFacts::Departed& departed : actions.facts.departed) {
    log_->log(departed.in_order ? spdlog::level::info : spdlog::level::warn,
              LogLine(departed.in_order ? "worker_left" : "worker_lost")
                  .add("worker", departed.worker)
                  .add("reason", departed.reason)
                  .text());
  }
  for (const Record& record : actions.records) {
    const auto* decision = std::get_if<DecisionRecord>(&record);
    const auto level = decision != nullptr ? spdlog::level::info : spdlog::level::debug;
    if (!log_->should_log(level)) continue;
    WorkIds known;
    if (decision != nullptr) known = core_->work_of(decision->trial);
    if (const auto* job = std::get_if<JobRecord>(&record)) known = core_->work_of(job->id);
    if (const std::string line = log_line(record, known); !line.empty()) log_->log(level, line);
  }
}

void Runtime::send_all(std::vector<Send>& sends) {
  std::vector<std::pair<PeerId, std::vector<wire::FromCoordinator>>>
      letters;  // peers in order of appearance
  std::map<PeerId, std::size_t> index;
  for (Send& send : sends) {
    const auto [place, added] = index.try_emplace(send.peer, letters.size());
    if (added) letters.emplace_back(send.peer, std::vector<wire::FromCoordinator>{});
    letters[place->second].second.push_back(std::move(send.message));
  }
  for (const auto& [peer, messages] : letters) send_to(peer, messages);
}

void Runtime::send_to(const PeerId& peer, const std::vector<wire::FromCoordinator>& messages) {
  auto frames = wire::encode(messages);
  if (!frames && messages.size() == 1) {
    log_->error(LogLine("undeliverable").add("reason", frames.error().message).text());
    return post(event::Undeliverable{peer, messages[0], frames.error().message});
  }
  if (!frames) {
    for (const wire::FromCoordinator& message : messages) send_to(peer, {message});
    return;
  }
  for (wire::Frame& frame : *frames) outbox_.send(peer, std::move(frame));
}

void Runtime::post_ended() {
  std::erase_if(ended_, [this](EndedProcess& ended) {
    const bool due = now_.steady - ended.at >= options_.last_words;
    if (due && !ended.peer.empty()) post(event::PeerLost{ended.peer, ended.reason});
    return due;
  });
}

void Runtime::post_lost() {
  for (event::PeerLost& lost : outbox_.take_lost()) {
    forget_peer(lost.peer);
    post(std::move(lost));
  }
}

bool Runtime::watch(RuntimeWatcher& watcher) {
  if (!watch_due_ && now_.steady - last_watch_ < options_.watch_every) return true;
  const Snapshot snapshot = core_->snapshot();
  observer_.pictured(snapshot);
  watch_due_ = snapshot.stopping;
  last_watch_ = now_.steady;
  return watcher.watch(snapshot, now_);
}

milliseconds Runtime::longest_wait() const {
  if (!posted_.empty() || more_frames_) return milliseconds{0};
  milliseconds wait = ceil<milliseconds>(last_watch_ + options_.watch_every - now_.steady);
  if (const auto deadline = core_->next_deadline()) {
    wait = std::min(wait, ceil<milliseconds>(*deadline - now_.steady));
  }
  if (outbox_.waiting()) wait = std::min(wait, kOutboxRetry);
  for (const EndedProcess& ended : ended_) {
    wait = std::min(wait, ceil<milliseconds>(ended.at + options_.last_words - now_.steady));
  }
  return std::max(wait, milliseconds{0});
}

}  // namespace lrtune
