// The checkpoint service's answers: a state machine over a folder of checkpoints. It does the
// folder's I/O and nothing else; service_loop.h gives it a socket and a clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/wire/checkpoint_messages.h"
#include "worker/checkpoints/arriving_checkpoint.h"
#include "worker/checkpoints/checkpoint_folder.h"

namespace lrtune {

using ServiceTime = std::chrono::steady_clock::time_point;

// What a client that says nothing for so long used is its own no longer.
inline constexpr std::chrono::minutes kForgetAfter{5};
// Checkpoints that one client may use at a time; each is an open file.
inline constexpr std::size_t kMostUsed = 64;
// Checkpoints that all clients may send at a time; each is an open file.
inline constexpr std::size_t kMostUploads = 256;
// Bytes of one checkpoint that a client may send before it hears of the service.
inline constexpr std::int64_t kCredit = 4 * static_cast<std::int64_t>(wire::kMaxChunkBytes);

// One thread.
class CheckpointService {
 public:
  using Log = std::function<void(const std::string&)>;

  // `folder` outlives it.
  CheckpointService(CheckpointFolder& folder, Log log);

  // The answer to what `peer` said, if there is one. A message that does not fit what was said
  // before (the service may be new) has none: the client asks again.
  std::optional<wire::ToCheckpointClient> on_message(const std::string& peer,
                                                     const wire::ToCheckpointService& message,
                                                     ServiceTime now);

  // Forgets clients and transfers that have been silent for too long.
  void on_time(ServiceTime now);

  std::size_t clients() const { return peers_.size(); }

 private:
  using Answer = std::optional<wire::ToCheckpointClient>;
  struct Peer {
    ServiceTime heard;
    std::map<Digest, CheckpointFile> used;
  };
  struct Upload {
    ServiceTime heard;
    std::unique_ptr<ArrivingCheckpoint> file;
  };
  using UploadKey = std::pair<Digest, Digest>;  // state, digest

  Answer answer(Peer& peer, const wire::ListStates& message);
  Answer answer(Peer& peer, const wire::AskFile& message);
  Answer answer(Peer& peer, const wire::ReadChunk& message);
  Answer answer(Peer& peer, const wire::OfferFile& message);
  Answer answer(Peer& peer, const wire::WriteChunk& message);
  Answer answer(Peer& peer, const wire::UseStates& message);
  Answer answer(Peer& peer, const wire::RemoveState& message);
  Result<const CheckpointFile*> use(Peer& peer, const Digest& state);
  Answer go_on_with(Peer& peer, std::map<UploadKey, Upload>::iterator upload);

  CheckpointFolder& folder_;
  Log log_;
  ServiceTime now_;
  std::map<std::string, Peer> peers_;
  std::map<UploadKey, Upload> uploads_;  // of all clients: two may send the same
};

}  // namespace lrtune
