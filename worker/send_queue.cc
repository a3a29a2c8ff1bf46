#include "worker/send_queue.h"

#include <algorithm>

#include "common/wire/codec.h"

namespace lrtune {
namespace {

constexpr std::size_t kChunk = 64;  // messages that are encoded, and kept, together

template <typename Message>
bool same_report(const Message& a, const Message& b) {
  return a.job == b.job && a.attempt == b.attempt && a.sequence == b.sequence;
}

// Whether `newer` says all that `older` would.
bool replaces(const wire::ToCoordinator& newer, const wire::ToCoordinator& older) {
  if (newer.index() != older.index()) return false;
  if (const auto* report = std::get_if<wire::Measured>(&newer)) {
    return same_report(*report, std::get<wire::Measured>(older));
  }
  if (const auto* report = std::get_if<wire::Finished>(&newer)) {
    return same_report(*report, std::get<wire::Finished>(older));
  }
  if (const auto* progress = std::get_if<wire::Progress>(&newer)) {
    const auto& other = std::get<wire::Progress>(older);
    return progress->job == other.job && progress->attempt == other.attempt;
  }
  return std::holds_alternative<wire::Hello>(newer) || newer == older;
}

}  // namespace

void SendQueue::push(wire::ToCoordinator message) {
  if (stalled_)
    std::erase_if(messages_, [&](const auto& older) { return replaces(message, older); });
  messages_.push_back(std::move(message));
}

std::vector<std::string> SendQueue::flush(const SendFrame& send) {
  std::vector<std::string> dropped;
  std::size_t chunk_size = kChunk;
  stalled_ = false;
  while (!messages_.empty() && !stalled_) {
    const auto end =
        messages_.begin() + static_cast<std::ptrdiff_t>(std::min(chunk_size, messages_.size()));
    const std::vector<wire::ToCoordinator> chunk(messages_.begin(), end);
    const auto frames = wire::encode(std::span<const wire::ToCoordinator>(chunk));
    if (!frames && chunk.size() > 1) {  // find the one that is at fault
      chunk_size = 1;
      continue;
    }
    if (frames) {
      stalled_ = !std::all_of(frames->begin(), frames->end(), send);
    } else {
      dropped.push_back(frames.error().message);
    }
    if (!stalled_) messages_.erase(messages_.begin(), end);
  }
  return dropped;
}

}  // namespace lrtune
