#include "worker/checkpoint_channel/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

namespace lrtune {
namespace {

std::string_view text_of(const wire::Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

wire::Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

CheckpointService::CheckpointService(CheckpointFolder& folder, Log log)
    : folder_(folder), log_(std::move(log)) {}

CheckpointService::Answer CheckpointService::on_message(const std::string& peer,
                                                        const wire::ToCheckpointService& message,
                                                        ServiceTime now) {
  now_ = now;
  Peer& sender = peers_[peer];
  sender.heard = now;
  return std::visit([&](const auto& m) { return answer(sender, m); }, message);
}

void CheckpointService::on_time(ServiceTime now) {
  const auto silent = [now](const auto& entry) { return now - entry.second.heard >= kForgetAfter; };
  std::erase_if(peers_, silent);
  std::erase_if(uploads_, silent);  // what has come stays in the folder
}

CheckpointService::Answer CheckpointService::answer(Peer&, const wire::ListStates& message) {
  std::set<Digest> after;
  for (const Digest& state : folder_.states()) {
    if (state > message.after) after.insert(state);
    if (after.size() > wire::kMaxListedStates) after.erase(std::prev(after.end()));
  }
  // One less than a message holds, so that the erased ones are known to exist.
  const bool more = after.size() == wire::kMaxListedStates;
  if (more) after.erase(std::prev(after.end()));
  return wire::States{.states = {after.begin(), after.end()}, .more = more};
}

CheckpointService::Answer CheckpointService::answer(Peer& peer, const wire::AskFile& message) {
  const auto file = use(peer, message.state);
  if (!file) return wire::Missing{message.state, file.error().message};
  const auto digest = (*file)->digest();
  if (!digest) return wire::Missing{message.state, digest.error().message};
  return wire::File{.state = message.state, .digest = *digest, .size = (*file)->size()};
}

CheckpointService::Answer CheckpointService::answer(Peer& peer, const wire::ReadChunk& message) {
  const auto file = use(peer, message.state);
  if (!file) return wire::Missing{message.state, file.error().message};
  if (message.offset >= (*file)->size())
    return wire::Missing{message.state, "it ends before the bytes that were asked for"};
  const auto bytes = (*file)->read(message.offset, message.count);
  if (!bytes) return wire::Missing{message.state, bytes.error().message};
  return wire::Chunk{.state = message.state, .offset = message.offset, .bytes = bytes_of(*bytes)};
}

CheckpointService::Answer CheckpointService::answer(Peer& peer, const wire::OfferFile& message) {
  const UploadKey key{message.state, message.digest};
  if (const auto upload = uploads_.find(key); upload != uploads_.end())
    return go_on_with(peer, upload);
  if (const auto file = folder_.open_file(message.state)) {
    const auto digest = file->digest();
    if (digest && *digest == message.digest) {
      (void)use(peer, message.state);
      return wire::Stored{message.state};
    }
  }
  if (uploads_.size() >= kMostUploads) {
    return wire::NotTaken{message.state,
                          fmt::format("{} checkpoints are on their way already", kMostUploads)};
  }
  auto arriving = folder_.receive(message.state, message.digest, message.size);
  if (!arriving) {
    log_(fmt::format("takes no checkpoint of state {:.12}: {}", message.state.hex(),
                     arriving.error().message));
    return wire::NotTaken{message.state, arriving.error().message};
  }
  return go_on_with(peer, uploads_.emplace(key, Upload{now_, *std::move(arriving)}).first);
}

CheckpointService::Answer CheckpointService::answer(Peer& peer, const wire::WriteChunk& message) {
  const auto upload = uploads_.find({message.state, message.digest});
  if (upload == uploads_.end()) return std::nullopt;
  ArrivingCheckpoint& file = *upload->second.file;
  if (message.offset == file.received()) {
    if (auto written = file.append(text_of(message.bytes)); !written) {
      log_(written.error().message);
      uploads_.erase(upload);
      return wire::NotTaken{message.state, written.error().message};
    }
  }
  return go_on_with(peer, upload);
}

// Asks for what is missing, or keeps the whole.
CheckpointService::Answer CheckpointService::go_on_with(
    Peer& peer, std::map<UploadKey, Upload>::iterator entry) {
  const auto [state, digest] = entry->first;
  entry->second.heard = now_;
  ArrivingCheckpoint& file = *entry->second.file;
  if (!file.complete())
    return wire::Wanted{
        .state = state, .digest = digest, .offset = file.received(), .credit = kCredit};
  const auto kept = file.finish();
  uploads_.erase(entry);
  if (!kept) {
    log_(kept.error().message);
    return wire::NotTaken{state, kept.error().message};
  }
  (void)use(peer, state);
  return wire::Stored{state};
}

// States that are not there (any more) are left out: the client learns it when it asks for them.
CheckpointService::Answer CheckpointService::answer(Peer& peer, const wire::UseStates& message) {
  const std::set<Digest> wanted(message.states.begin(), message.states.end());
  std::erase_if(peer.used, [&](const auto& entry) { return !wanted.contains(entry.first); });
  for (const Digest& state : wanted) (void)use(peer, state);
  return std::nullopt;
}

CheckpointService::Answer CheckpointService::answer(Peer& peer, const wire::RemoveState& message) {
  peer.used.erase(message.state);
  folder_.remove(message.state);
  return std::nullopt;
}

// A file that was replaced or removed meanwhile stays readable for who has it open.
Result<const CheckpointFile*> CheckpointService::use(Peer& peer, const Digest& state) {
  if (const auto used = peer.used.find(state); used != peer.used.end()) return &used->second;
  if (peer.used.size() >= kMostUsed) {
    return fail(fmt::format("a client may use {} checkpoints at a time", kMostUsed));
  }
  auto file = folder_.open_file(state);
  if (!file) return tl::unexpected(std::move(file.error()));
  return &peer.used.emplace(state, *std::move(file)).first->second;
}

}  // namespace lrtune
