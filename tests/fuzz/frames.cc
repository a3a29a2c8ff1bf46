// Frames. What decodes is encoded, decoded and encoded again: the two encodings are the same bytes
// (values would not do, since a NaN is not equal to itself).
#include <algorithm>
#include <cstddef>
#include <vector>

#include "common/wire/checkpoint_messages.h"
#include "common/wire/codec.h"
#include "tests/fuzz/target.h"

namespace lrtune::fuzz {
namespace {

template <typename Message>
bool same_kinds(const std::vector<Message>& a, const std::vector<Message>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Message& x, const Message& y) { return x.index() == y.index(); });
}

template <typename Message>
void round_trip(Bytes bytes, Result<std::vector<Message>> (*decode)(Bytes)) {
  static_cast<void>(wire::frame_version(bytes));
  const auto first = decode(bytes);
  if (!first) return require(!first.error().message.empty(), "a refusal says why");
  require(!first->empty(), "a frame holds a message");
  const auto frames = wire::encode(std::span<const Message>(*first));
  // Numbers grow when they are written as doubles, and defaults are written out.
  if (!frames) return require(bytes.size() > wire::kMaxFrameBytes / 16, frames.error().message);
  std::vector<Message> again;
  for (const wire::Frame& frame : *frames) {
    const auto decoded = decode(frame);
    require(decoded.has_value(), decoded ? "" : decoded.error().message);
    again.insert(again.end(), decoded->begin(), decoded->end());
  }
  require(same_kinds(*first, again), "the same messages come back");
  const auto rewritten = wire::encode(std::span<const Message>(again));
  require(rewritten && *rewritten == *frames, "they are written the same way");
}

template <typename Message>
void round_trip(Bytes bytes, Result<Message> (*decode)(Bytes)) {
  const auto first = decode(bytes);
  if (!first) return require(!first.error().message.empty(), "a refusal says why");
  const wire::Frame frame = wire::encode(*first);
  require(frame.size() <= wire::kMaxCheckpointFrameBytes, "it fits in a frame");
  const auto again = decode(frame);
  require(again.has_value(), again ? "" : again.error().message);
  require(wire::encode(*again) == frame, "it is written the same way");
}

}  // namespace

void to_coordinator(Bytes bytes) { round_trip(bytes, &wire::decode_to_coordinator); }
void to_worker(Bytes bytes) { round_trip(bytes, &wire::decode_from_coordinator); }
void to_checkpoint_service(Bytes bytes) { round_trip(bytes, &wire::decode_to_checkpoint_service); }
void to_checkpoint_client(Bytes bytes) { round_trip(bytes, &wire::decode_to_checkpoint_client); }

}  // namespace lrtune::fuzz
