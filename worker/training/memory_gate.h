// Which runs may be on one device side by side, by the memory that they were seen to take. A worker
// has as many slots as its user says; those whose runs do not fit wait here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "common/hash.h"

namespace lrtune {

// Who may enter, without waiting. Runs of one key (the hash of the training identity) take the same
// memory. Runs enter in the order of asking, and at once if nobody is inside. Beside others a run
// enters only
//   - if its need is known, and that of everybody inside: a run of a new key is alone until it was
//     measured;
//   - if all needs together, with a tenth more, fit what was free when the device was empty, less
//     a reserve for what the libraries take;
//   - if its key has not run out of memory since it last ended well: then it is alone.
// One thread.
class MemoryAdmission {
 public:
  static constexpr std::int64_t kReserve = 512LL << 20;  // bytes
  using Ticket = std::uint64_t;

  Ticket ask(const Digest& key);
  // Whether it is inside now. `free`: bytes free on the device; nothing: there is no limit.
  bool enter(Ticket ticket, std::optional<std::int64_t> free);
  void withdraw(Ticket ticket);  // it waits no longer

  void leave(const Digest& key);
  void measured(const Digest& key, std::int64_t bytes);  // the highest of several counts
  void ran_out(const Digest& key) { needs_[key].ran_out = true; }
  void ended_well(const Digest& key) { needs_[key].ran_out = false; }
  // A run that is inside is to say what it takes: nobody enters before.
  bool unmeasured(const Digest& key) const;

 private:
  struct Need {
    std::optional<std::int64_t> bytes;
    bool ran_out = false;
    int inside = 0;
  };
  bool fits_beside(const Need& own) const;

  std::deque<std::pair<Ticket, Digest>> waiting_;
  Ticket next_ticket_ = 0;
  std::map<Digest, Need> needs_;
  int inside_ = 0;
  std::optional<std::int64_t> room_;  // free when the device was empty last
};

// The same for threads that wait. Any thread.
class MemoryGate {
 public:
  using FreeBytes = std::function<std::optional<std::int64_t>()>;  // as MemoryAdmission::enter

  explicit MemoryGate(FreeBytes free) : free_(std::move(free)) {}
  MemoryGate(const MemoryGate&) = delete;
  MemoryGate& operator=(const MemoryGate&) = delete;

  // A run that is inside, until it goes. The gate outlives it.
  class Place {
   public:
    Place(MemoryGate& gate, const Digest& key) : gate_(&gate), key_(key) {}
    Place(Place&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), key_(other.key_) {}
    Place& operator=(Place&&) = delete;
    ~Place();

    // What it takes is not known: it is alone, and nobody enters before it says so.
    bool unmeasured() const;
    void measured(std::int64_t bytes);  // REQUIRES: it was unmeasured
    // Memory ran out under it: its next runs are alone, until one of them ended well.
    void ran_out();
    void ended_well();

   private:
    MemoryGate* gate_;
    Digest key_;
  };

  // Waits for a place. Nothing: `stop` was set.
  std::optional<Place> enter(const Digest& key, const std::atomic<bool>& stop);

 private:
  FreeBytes free_;
  std::mutex mutex_;
  std::condition_variable changed_;
  MemoryAdmission admission_;
};

}  // namespace lrtune
