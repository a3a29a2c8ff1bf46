// The coordinator's only loop that polls sockets and reads clocks. A turn: receive -> decode ->
// Core::step -> one Store::commit of everything the turn made -> encode (all messages for one peer
// share a frame) -> send. Nothing that a peer could see is not on disk.
#pragma once

#include <spdlog/logger.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/wire/transport.h"
#include "coordinator/core/core.h"
#include "coordinator/greeting_budget.h"
#include "coordinator/outbox.h"
#include "coordinator/runtime_observer.h"
#include "coordinator/store/store.h"

namespace lrtune {

struct RuntimeOptions {
  CoreOptions core;  // an empty incarnation is made of Store::history(), '-' and a random part that
                     // is new after each rebuild of the core
  std::size_t frames_per_turn = 256;           // received at most before a commit
  std::size_t outbox_bytes = 1024 * 1024;      // that may wait for one peer that does not read
  std::chrono::milliseconds last_words{100};   // from the end of a process to its last frame
  std::chrono::milliseconds watch_every{200};  // RuntimeWatcher::watch is called at least so often
  double greetings = GreetingBudget::kMost;    // of a peer, at once
  RuntimeObserver* observer = nullptr;         // must outlive the runtime; may be null
  // Puts into a submission what it takes from the store, before the core sees it: called in the
  // turn that receives it. Its error is the answer. May be empty.
  std::function<Result<void>(wire::Submit&)> complete_submission = {};
};

// Whoever runs the coordinator: `lrtune run` with its progress display, signals and child
// processes. Called from the thread of run(), between turns, so it may call post().
class RuntimeWatcher {
 public:
  virtual ~RuntimeWatcher() = default;
  virtual std::vector<int> descriptors() = 0;  // to watch beside the socket; asked each turn
  virtual void readable(int descriptor, const Now& now) = 0;  // one of them is
  // Also after a campaign changed its state and while stopping. False ends run().
  virtual bool watch(const Snapshot& snapshot, const Now& now) = 0;
};

// One thread.
class Runtime {
 public:
  // `store` must outlive the runtime.
  Runtime(wire::RouterSocket socket, Store& store, RuntimeOptions options,
          std::shared_ptr<spdlog::logger> log);

  const std::string& endpoint() const { return socket_.endpoint(); }

  // The core takes `event` in the next turn.
  void post(Event event);

  // Whether a worker process of that name has said HELLO and was not lost since.
  bool has_joined(const std::string& worker) const { return peers_.contains(worker); }

  // Whether the process of that worker has brought a job to an end.
  bool has_finished(const std::string& worker) const;

  // A worker's process was seen to end: its job is given away as soon as what it said last has been
  // read, without waiting for its lease. Its HELLO may be among that.
  void worker_ended(const std::string& worker, const std::string& reason);

  // Loads the store and turns until the watcher ends it. Errors: the store cannot be read, or
  // cannot be written (after the core was rebuilt from it and tried again).
  Result<void> run(RuntimeWatcher& watcher);

 private:
  Result<void> turn(RuntimeWatcher& watcher);
  Result<void> rebuild();
  Result<void> carry_out(Actions& actions);
  void log_turn(const Actions& actions);
  void step(const Event& event, Actions& actions);
  void take_posted(Actions& actions);
  void take_frames(Actions& actions);
  bool completed(const PeerId& peer, wire::ToCoordinator& message);
  void refuse_peer(const wire::Incoming& incoming, const std::string& why);
  void note_peer(const PeerId& peer, const wire::ToCoordinator& message);
  void note_hello(const PeerId& peer, const wire::Hello& hello);
  void warn_of_same_name(const wire::Hello& hello);
  void forget_peer(const PeerId& peer);
  void send_all(std::vector<Send>& sends);  // takes the messages out
  void send_to(const PeerId& peer, const std::vector<wire::FromCoordinator>& messages);
  void post_ended();
  void post_lost();
  Result<void> look_at_store();
  bool watch(RuntimeWatcher& watcher);
  std::chrono::milliseconds longest_wait() const;

  wire::RouterSocket socket_;
  Store& store_;
  RuntimeOptions options_;
  RuntimeObserver nobody_;
  RuntimeObserver& observer_;
  std::shared_ptr<spdlog::logger> log_;
  Outbox outbox_;
  std::optional<Core> core_;
  Now now_;
  Actions turn_;  // of the turn under way; its memory serves the next
  std::deque<Event> posted_;
  std::vector<Event> orders_;  // submissions and stop requests: a rebuilt core gets them again
  std::map<std::string, PeerId> peers_;           // by the worker's name
  std::map<std::string, std::string> processes_;  // likewise, as they said last
  std::set<PeerId> finished_;                     // of them, those that brought a job to an end
  std::set<PeerId> left_;                         // of them, those that said goodbye
  std::set<PeerId> refused_;                      // sent a frame that was refused
  GreetingBudget greetings_;
  struct EndedProcess {
    std::string worker;
    std::string reason;
    SteadyTime at;
    PeerId peer;  // empty: it has not said HELLO
  };
  std::vector<EndedProcess> ended_;  // their last words may still be on the way
  SteadyTime last_watch_{};
  SteadyTime last_look_{};
  bool watch_due_ = true;
  bool more_frames_ = false;
  int failed_commits_ = 0;  // in a row
};

}  // namespace lrtune
