// Workers that train nothing: what many of them say to a coordinator, and when. They know neither
// core nor sockets; whoever owns them carries their messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "common/wire/messages.h"

namespace lrtune::bench {

using Clock = std::chrono::steady_clock;

// One slot each. A trial is STARTED, two evaluations and FINISHED, half to one and a half of
// `trial` long.
class SimulatedWorkers {
 public:
  struct Options {
    int first = 0;  // number of the first, for names
    int count = 0;
    std::chrono::milliseconds trial{10'000};
    std::chrono::milliseconds arrival{3'000};  // they say HELLO within so long
  };
  using Say = std::function<void(int worker, wire::ToCoordinator message)>;

  SimulatedWorkers(const Options& options, Clock::time_point now);

  // Says what is due, at most `most` times something; returns how often.
  int say_due(Clock::time_point now, int most, const Say& say);
  void hear(int worker, const wire::FromCoordinator& message, Clock::time_point now);

  Clock::time_point next_due() const;
  bool all_left() const { return left_ == static_cast<int>(workers_.size()); }
  int rejected() const { return rejected_; }
  // Seconds from the time at which a slot was free to the next assignment that was heard.
  const std::vector<double>& waits() const { return waits_; }

 private:
  enum class Kind : std::uint8_t { kHello, kHeartbeat, kSurveyed, kStarted, kFinished, kGoodbye };
  struct Due {
    Clock::time_point at;
    int worker = 0;
    Kind kind = Kind::kHeartbeat;
    bool operator>(const Due& other) const { return at > other.at; }
  };
  struct Worker {
    std::optional<wire::Assign> job;  // that it trains
    std::queue<wire::Assign> ahead;
    std::optional<Clock::time_point> free_since;
    std::int64_t survey = 0;
    bool welcomed = false;
    bool left = false;
  };

  void say_one(const Due& due, const Say& say);
  void say_reports(int worker, const Say& say);
  void begin_next(int worker, Clock::time_point now);
  void plan(Clock::time_point at, int worker, Kind kind) { due_.push({at, worker, kind}); }
  std::string name_of(int worker) const;

  Options options_;
  std::vector<Worker> workers_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::mt19937_64 random_;
  std::vector<double> waits_;
  std::chrono::milliseconds heartbeat_{1000};
  int left_ = 0;
  int rejected_ = 0;
  TrainingIdentity identity_;  // of the newest assignment
  Digest hash_;                // its
};

}  // namespace lrtune::bench
