// The coordinator's state machine: events in, actions out. It does no I/O, starts no thread and
// reads no clock; the same events at the same times give the same actions. One thread owns it.
//
// The caller collects the actions of a turn, commits all records in one transaction, and only then
// sends. If the commit fails it sends nothing, throws this object away and makes a new one from
// Store::load().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/config/experiment.h"
#include "common/wire/messages.h"
#include "coordinator/core/records.h"
#include "coordinator/core/snapshot.h"

namespace lrtune {

using SteadyTime = std::chrono::steady_clock::time_point;

// Now, twice: the monotonic clock decides leases, the wall clock is written down for people.
struct Now {
  SteadyTime steady;
  WallMillis wall = 0;
};

struct CoreOptions {
  std::chrono::milliseconds heartbeat{1000};  // workers send one so often
  std::chrono::milliseconds lease{10000};     // without one for so long a worker is given up
  std::chrono::milliseconds progress{
      500};  // workers report a running job's iteration at most so often
  // Attempts of one job, or of one survey, that may end with their worker's death (or with
  // OutcomeKind::kFailedHere): then the job is poisonous, and a survey ends its campaign. The last
  // of them ran alone on its worker.
  int max_deaths = 3;
  std::string incarnation;  // random, new for each start of the coordinator
  // Work on these campaigns alone (`lrtune run`); empty: on every campaign of the store that has
  // not ended.
  std::vector<Digest> only_campaigns;
  // Runs with the same beginning train it once. The results are the same bits either way; workers
  // that keep no checkpoints, or not where the others find them, train it again.
  bool share_stages = true;
  // Workers of an earlier coordinator may come back with what they train. False (`lrtune run`,
  // whose workers end with it): their jobs are given away at once, and no death is counted against
  // these.
  bool workers_survive = true;
};

// The routing id of a peer's connection (ZeroMQ ROUTER identity): new for each connection of a new
// process.
using PeerId = std::string;

namespace event {
struct Submitted {  // makes the campaign or resumes the one with the same hash
  Experiment experiment;
  bool ends_pause = false;
};
struct Received {
  PeerId peer;
  wire::ToCoordinator message;
};
struct PeerLost {  // a send found nobody there, or a child process was seen to end
  PeerId peer;
  std::string reason;
  bool unsent = false;  // what was sent to it last has not arrived: it died of none of that
};
struct Undeliverable {  // `message` fits in no frame: nobody will ever get it
  PeerId peer;
  wire::FromCoordinator message;
  std::string reason;
};
struct Ticked {};       // time has passed; at least every CoreOptions::heartbeat
struct StopRequested {  // workers are told to shut down; nothing new is assigned
  std::string reason;
};
}  // namespace event
using Event = std::variant<event::Submitted, event::Received, event::PeerLost, event::Undeliverable,
                           event::Ticked, event::StopRequested>;

struct Send {
  PeerId peer;
  wire::FromCoordinator message;
};

struct CoreState;  // core_state.h

// What happened in a step, for the log and the metrics alone.
struct StepFacts {
  struct Departed {
    std::string worker;
    std::string reason;
    bool in_order = false;  // it said goodbye
  };
  std::vector<Departed> departed;
  std::int64_t assignments_repeated = 0;  // sent again, since the first may be lost
  std::int64_t reports_repeated = 0;      // came again, and are acknowledged again
  std::int64_t reports_stale = 0;         // of attempts that were given up

  void add(StepFacts other);
};

struct Actions {
  std::vector<Record> records;  // to commit, in order
  std::vector<Send> sends;      // to send after the commit, in order
  StepFacts facts;

  void add(Actions other);
  void clear();  // keeps the memory, for the next turn
};

class Core {
 public:
  Core(CoreOptions options, StoredState stored, Now now);
  ~Core();
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;

  // Carries out one event. Time never goes back between calls (a smaller `now` counts as the last
  // one).
  Actions step(const Event& event, Now now);
  // The same; what it makes is put behind the `actions` of earlier events of the turn.
  void step(const Event& event, Now now, Actions& actions);

  // The earliest time at which a Ticked would do something; the caller may sleep until then.
  std::optional<SteadyTime> next_deadline() const;

  // What people see. Cost: proportional to the running trials, not to all.
  Snapshot snapshot() const;

  // What the log says of a trial: its job and that job's newest attempt; of a job: the first trial
  // that needs it. Zeros where there is none.
  WorkIds work_of(TrialId trial) const;
  WorkIds work_of(JobId job) const;

  // Throws std::logic_error with the first broken invariant. For tests; walks over everything.
  void check_invariants() const;

 private:
  std::unique_ptr<CoreState> state_;
};

}  // namespace lrtune
