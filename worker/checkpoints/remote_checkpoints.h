// Checkpoints that other machines can reach, as a run sees them. worker/checkpoint_channel
// implements it over a socket.
#pragma once

#include <atomic>
#include <unordered_set>

#include "common/hash.h"
#include "common/result.h"
#include "worker/checkpoints/checkpoint_folder.h"

namespace lrtune {

// Any thread. `stop` ends a wait early.
class RemoteCheckpoints {
 public:
  virtual ~RemoteCheckpoints() = default;

  // The states that are there now. Errors: nobody answers.
  virtual Result<std::unordered_set<Digest>> states(const std::atomic<bool>& stop) = 0;

  // Brings the state's checkpoint into the local folder. Waits for it. Errors: it is not there, it
  // does not come, it has no room here.
  virtual Result<void> fetch(const Digest& state, const std::atomic<bool>& stop) = 0;

  // Sends the local checkpoint of the state, later, in the background; `hold` keeps it until then.
  virtual void push(const Digest& state, CheckpointHold hold) = 0;

  // Waits until a pushed state is stored there durably. Errors: why it cannot be now.
  virtual Result<void> wait_until_pushed(const Digest& state) = 0;

  // The run that fetched or pushed the state needs it no longer: if no other run of this process
  // does it goes, here and there, when what was pushed later is stored.
  virtual void remove(const Digest& state) = 0;

  // The run that fetched or pushed the state has ended: it may go there when room is needed.
  virtual void release(const Digest& state) = 0;
};

}  // namespace lrtune
