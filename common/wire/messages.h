// The messages between the coordinator and its peers, workers and clients, as values. PROTOCOL.md
// says what each means, who sends it and when; codec.h turns them into bytes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/flat_json.h"
#include "common/hash.h"
#include "common/ids.h"
#include "common/policy/policy.h"
#include "common/result.h"
#include "common/training.h"

namespace lrtune::wire {

inline constexpr int kProtocolVersion = 3;

// Of an experiment's or a policy list's text in a message: with all else it fits in one frame.
inline constexpr std::size_t kMaxExperimentBytes = 60'000;

// Of a judgement's numbers as JSON: policies of many segments are among them.
inline constexpr std::size_t kMaxJudgementBytes = 40'000;

// The name and the process of a worker, which stand in lists of many.
inline constexpr std::size_t kMaxNameBytes = 200;

// Errors: `name` is not 1 to kMaxNameBytes bytes of UTF-8 without control characters.
Result<void> check_worker_name(std::string_view name);

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

// The reason of a Refused that asks for another number: a coordinator whose store has lost what it
// acknowledged, or whose connection repeats an old assignment, gives one that is over at the
// worker.
inline constexpr std::string_view kAttemptIsOver = "an attempt of that number is over here";

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

// ---- client -> coordinator
// -------------------------------------------------------------------------------

// Every question has a number that its Answer repeats, and may be asked again: a client whose
// connection breaks does not know whether the first one arrived. Asking twice is asking once.

// Makes a campaign of an experiment, or resumes the one that the same experiment made.
struct Submit {
  std::int64_t request = 0;
  std::string file;        // its name, for errors
  std::string experiment;  // YAML, at most kMaxExperimentBytes
  std::string device;      // in place of `train.device`; empty: as the experiment says
  std::optional<std::int64_t> priority = {};  // none: 0, or what the campaign has
  bool operator==(const Submit&) const = default;
};

// What may be ordered. `target` is a campaign (its number, its name: the newest so named; or the
// beginning of its hash, at least four digits), of the last three a worker's name.
enum class OrderKind : std::uint8_t {
  kPause,   // its running trials are checkpointed, their slots are free
  kResume,  // goes on after a pause
  kCancel,  // for good, unless it is submitted again; what is trained stays
  kDrain,   // the worker gets nothing new, ends what it trains, and leaves
  kBan,     // the worker is sent away, its jobs go to others, and it may not come back
  kAdmit,   // takes back the drain or ban
};

struct Order {
  std::int64_t request = 0;
  OrderKind kind = OrderKind::kPause;
  std::string target;
  std::string reason;  // for people; may be empty
  bool operator==(const Order&) const = default;
};

enum class JudgementKind : std::uint8_t {
  kVerdict,   // of `lrtune verify`
  kComposed,  // of `lrtune compose`
};

// Gives a campaign, ended or not, a longer length of runs, more random candidates, or more policies
// behind those of its file. What is asked for twice is there once.
struct Extend {
  std::int64_t request = 0;
  std::string campaign;         // as Order::target
  std::int64_t iterations = 0;  // of each run; 0: as before
  double epochs = 0;            // the same in epochs; at most one of them
  std::int64_t count = 0;       // candidates of a random or sobol search; 0: as before
  std::string policies;         // YAML, a list as search.policies; empty: none
  bool operator==(const Extend&) const = default;
};

// What a command that a coordinator carried out the campaigns of has made of their results: it is
// kept as a decision about a trial.
struct Judge {
  std::int64_t request = 0;
  TrialId trial;
  JudgementKind kind = JudgementKind::kVerdict;
  FlatJson numbers;  // flat: texts, numbers, truth values, nothing; at most kMaxJudgementBytes
  bool operator==(const Judge&) const = default;
};

enum class InspectKind : std::uint8_t {
  kCampaigns,  // all, newest first, a page at a time
  kCampaign,   // one with its running trials and best policies
  kWorkers,    // by name, a page at a time
};

struct Inspect {
  std::int64_t request = 0;
  InspectKind kind = InspectKind::kCampaigns;
  std::string target;  // kCampaign: as Order::target
  std::string after;   // the last entry of the page before; empty: the first page
  bool operator==(const Inspect&) const = default;
};

// ---- coordinator -> client
// -------------------------------------------------------------------------------

struct Answer {
  std::int64_t request = 0;
  std::string error;        // empty: it was done, and what it changed is on disk
  nlohmann::json document;  // PROTOCOL.md has its keys; an empty map with an error
  bool operator==(const Answer&) const = default;
};

// ---- coordinator -> worker
// -------------------------------------------------------------------------------

struct Welcome {
  // Of the coordinator, new for each start: HISTORY-RANDOM. A store that is restored from a copy,
  // and a new one, begin another history (history_of()).
  std::string incarnation;
  std::int64_t heartbeat_ms = 0;
  std::int64_t lease_ms = 0;     // without a heartbeat for so long a worker is given up
  std::int64_t progress_ms = 0;  // at most one Progress an attempt in so long
  bool operator==(const Welcome&) const = default;
};

// What stands before the last '-'; empty if there is none: a coordinator that says nothing of it.
std::string_view history_of(std::string_view incarnation);

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

using ToCoordinator =
    std::variant<Hello, Heartbeat, Surveyed, Started, Progress, Measured, Finished, Refused,
                 Goodbye, Submit, Order, Extend, Judge, Inspect>;
using FromCoordinator = std::variant<Welcome, Introduce, Rejected, Heartbeat, Survey, Assign,
                                     Acknowledge, Cancel, Shutdown, Answer>;

// Whether a client says it, not a worker.
bool is_from_client(const ToCoordinator& message);

inline constexpr int kOrderKinds = 6;
inline constexpr int kInspectKinds = 3;
inline constexpr int kJudgementKinds = 2;
std::string_view name_of(OrderKind kind);      // "pause", "resume" ...
std::string_view name_of(InspectKind kind);    // "campaigns", "campaign", "workers"
std::string_view name_of(JudgementKind kind);  // the decision's code: "verdict", "composed"

}  // namespace lrtune::wire
