// Whether the coordinator's loop is alive, and whether it can take work. Its own thread writes, any
// thread reads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace lrtune {

class Health {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Clock = std::function<Time()>;

  struct Finding {
    bool good = false;
    std::string words;  // one line for people
  };

  // `longest_turn`: a loop that has not turned for longer does not live. `clock` is called by every
  // thread that uses this object.
  explicit Health(std::chrono::milliseconds longest_turn,
                  Clock clock = std::chrono::steady_clock::now);

  void loading();             // the store is being read
  void loaded();              // the loop begins, or goes on
  void turned();              // the loop came round
  void commits(bool worked);  // whether the newest commit did
  void stopping();

  // Liveness: true while the coordinator starts, and while the loop turns. False is a reason to
  // kill and restart the process.
  Finding live() const;
  // Readiness: the store is read, its newest commit worked, the loop turns and is not stopping.
  Finding ready() const;

  std::chrono::duration<double> since_turn() const;

 private:
  enum class Phase : std::uint8_t { kStarting, kLoading, kServing, kStopping };
  void stamp();

  const std::chrono::milliseconds longest_turn_;
  const Clock clock_;
  std::atomic<Phase> phase_ = Phase::kStarting;
  std::atomic<bool> commits_ = true;
  std::atomic<Time::rep> last_turn_;  // since the clock's epoch
};

}  // namespace lrtune
