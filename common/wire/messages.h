// The messages between coordinator and worker, as values. PROTOCOL.md says what each means, who
// sends it and when; codec.h turns them into bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/hash.h"
#include "common/ids.h"
#include "common/policy/policy.h"
#include "common/training.h"

namespace lrtune::wire {

inline constexpr int kProtocolVersion = 1;

// ---- worker -> coordinator
// -------------------------------------------------------------------------------

// An attempt that the worker still trains or still holds reports of.
struct HeldAttempt {
  JobId job;
  Attempt attempt = 0;
  bool operator==(const HeldAttempt&) const = default;
};

struct Hello {
  std::string worker;   // a name for people, e.g. "node7/0"
  std::string process;  // random, new for each process: a returning process is told from a new one
  int slots = 1;
  Numerics numerics;  // `threads` is the most that a slot may use
  std::vector<HeldAttempt> held;
  bool operator==(const Hello&) const = default;
};

struct Heartbeat {  // either direction; proves that the process lives
  bool operator==(const Heartbeat&) const = default;
};

// Answer to Survey: facts, or why this worker cannot train it.
struct Surveyed {
  std::int64_t survey = 0;
  std::optional<DataFacts> facts;
  std::string error;  // empty if facts
  bool operator==(const Surveyed&) const = default;
};

struct Started {
  JobId job;
  Attempt attempt = 0;
  bool operator==(const Started&) const = default;
};

// Where a running attempt is. Not numbered, not acknowledged: a lost one is replaced by the next.
struct Progress {
  JobId job;
  Attempt attempt = 0;
  std::int64_t iteration = 0;
  bool operator==(const Progress&) const = default;
};

// Numbered reports: `sequence` counts 1, 2, 3 ... within an attempt; sent again until acknowledged.
struct Measured {
  JobId job;
  Attempt attempt = 0;
  std::int64_t sequence = 0;
  MetricPoint point;
  bool operator==(const Measured&) const = default;
};

struct Finished {  // the last report of an attempt
  JobId job;
  Attempt attempt = 0;
  std::int64_t sequence = 0;
  Outcome outcome;
  bool operator==(const Finished&) const = default;
};

// The worker does not take an assignment (numerics or data differ, no slot). Nothing was trained.
struct Refused {
  JobId job;
  Attempt attempt = 0;
  std::string reason;
  bool operator==(const Refused&) const = default;
};

struct Goodbye {  // the worker leaves in order; it has handed back all it held
  bool operator==(const Goodbye&) const = default;
};

// ---- coordinator -> worker
// -------------------------------------------------------------------------------

struct Welcome {
  std::string incarnation;  // random, new for each start of the coordinator
  std::int64_t heartbeat_ms = 0;
  std::int64_t lease_ms = 0;     // without a heartbeat for so long a worker is given up
  std::int64_t progress_ms = 0;  // at most one Progress an attempt in so long
  bool operator==(const Welcome&) const = default;
};

// The coordinator does not know this peer (it was restarted, or gave the worker up): the worker
// says HELLO again, with all that it holds. Sent in answer to any message but HELLO of an unknown
// peer.
struct Introduce {
  bool operator==(const Introduce&) const = default;
};

struct Rejected {  // the worker may not join; it says so and exits
  std::string reason;
  bool operator==(const Rejected&) const = default;
};

struct Survey {
  std::int64_t survey = 0;  // echoed in the answer
  TrainSpec train;
  bool operator==(const Survey&) const = default;
};

struct Assign {
  JobId job;
  Attempt attempt = 0;
  TrainingIdentity identity;
  Policy policy;
  std::uint64_t seed = 0;
  RunPlan plan;  // plan.iterations: where the job ends
  bool operator==(const Assign&) const = default;
};

// All numbered reports of the attempt up to `sequence` are on disk.
struct Acknowledge {
  JobId job;
  Attempt attempt = 0;
  std::int64_t sequence = 0;
  bool operator==(const Acknowledge&) const = default;
};

struct Cancel {  // stop this attempt and forget its reports
  JobId job;
  Attempt attempt = 0;
  std::string reason;
  bool operator==(const Cancel&) const = default;
};

struct Shutdown {  // stop all attempts, say goodbye, exit
  std::string reason;
  bool operator==(const Shutdown&) const = default;
};

using ToCoordinator = std::variant<Hello, Heartbeat, Surveyed, Started, Progress, Measured,
                                   Finished, Refused, Goodbye>;
using ToWorker = std::variant<Welcome, Introduce, Rejected, Heartbeat, Survey, Assign, Acknowledge,
                              Cancel, Shutdown>;

}  // namespace lrtune::wire
