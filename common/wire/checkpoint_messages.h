// The messages between a checkpoint service and its clients, as values, and their bytes.
// CHECKPOINTS.md says what each means. A frame holds one message: the MessagePack of
// [version, kind, body].
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/hash.h"
#include "common/result.h"
#include "common/wire/codec.h"

namespace lrtune::wire {

inline constexpr int kCheckpointProtocolVersion = 1;
inline constexpr std::size_t kMaxChunkBytes = 1024 * 1024;
// A chunk and what stands around it.
inline constexpr std::size_t kMaxCheckpointFrameBytes = kMaxChunkBytes + 4096;
inline constexpr std::size_t kMaxListedStates = 8192;  // in one message

using Bytes = std::vector<std::uint8_t>;

// ---- client -> service

// Which states are there? In ascending order, those after `after` (all zero: from the first).
struct ListStates {
  Digest after;
  bool operator==(const ListStates&) const = default;
};

// How large is the checkpoint of this state? From then on the client uses it.
struct AskFile {
  Digest state;
  bool operator==(const AskFile&) const = default;
};

// Sends `count` bytes from `offset`: the client grants so much credit.
struct ReadChunk {
  Digest state;
  std::int64_t offset = 0;
  std::int64_t count = 0;
  bool operator==(const ReadChunk&) const = default;
};

// The client has a checkpoint. `digest`: its last 32 bytes, which are the SHA-256 of those before.
struct OfferFile {
  Digest state;
  Digest digest;
  std::int64_t size = 0;
  bool operator==(const OfferFile&) const = default;
};

struct WriteChunk {
  Digest state;
  Digest digest;
  std::int64_t offset = 0;
  Bytes bytes;
  bool operator==(const WriteChunk&) const = default;
};

// The states that the client uses; it uses no others any more. Also a sign of life.
struct UseStates {
  std::vector<Digest> states;
  bool operator==(const UseStates&) const = default;
};

// The client needs this state no longer: it goes if no other client uses it.
struct RemoveState {
  Digest state;
  bool operator==(const RemoveState&) const = default;
};

// ---- service -> client

struct States {  // answers ListStates
  std::vector<Digest> states;
  bool more = false;  // ask again, after the last of these
  bool operator==(const States&) const = default;
};

struct File {  // answers AskFile
  Digest state;
  Digest digest;
  std::int64_t size = 0;
  bool operator==(const File&) const = default;
};

struct Missing {  // answers AskFile and ReadChunk
  Digest state;
  std::string reason;
  bool operator==(const Missing&) const = default;
};

struct Chunk {  // answers ReadChunk
  Digest state;
  std::int64_t offset = 0;
  Bytes bytes;
  bool operator==(const Chunk&) const = default;
};

// Answers OfferFile and WriteChunk: the service has all before `offset` and takes `credit` bytes
// more.
struct Wanted {
  Digest state;
  Digest digest;
  std::int64_t offset = 0;
  std::int64_t credit = 0;
  bool operator==(const Wanted&) const = default;
};

struct Stored {  // the whole checkpoint is there, verified and on disk
  Digest state;
  bool operator==(const Stored&) const = default;
};

struct NotTaken {  // the offer cannot be stored
  Digest state;
  std::string reason;
  bool operator==(const NotTaken&) const = default;
};

// The frame cannot be read, e.g. its version is another one.
struct NotUnderstood {
  std::string reason;
  bool operator==(const NotUnderstood&) const = default;
};

using ToCheckpointService =
    std::variant<ListStates, AskFile, ReadChunk, OfferFile, WriteChunk, UseStates, RemoveState>;
using ToCheckpointClient =
    std::variant<States, File, Missing, Chunk, Wanted, Stored, NotTaken, NotUnderstood>;

Frame encode(const ToCheckpointService& message);
Frame encode(const ToCheckpointClient& message);

// Size and structure are checked before anything is built. Safe on any input.
Result<ToCheckpointService> decode_to_checkpoint_service(std::span<const std::uint8_t> frame);
Result<ToCheckpointClient> decode_to_checkpoint_client(std::span<const std::uint8_t> frame);

}  // namespace lrtune::wire
