#include "worker/checkpoint_channel/transfers.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace lrtune {
namespace {

constexpr auto kChunk = static_cast<std::int64_t>(wire::kMaxChunkBytes);
constexpr std::int64_t kWindow = 4 * kChunk;  // asked for and not there yet

std::string_view text_of(const wire::Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

ClientMessages ListTransfer::start() {
  return {wire::ListStates{states_.empty() ? Digest{} : states_.back()}};
}

ClientMessages ListTransfer::on_answer(const wire::ToCheckpointClient& answer) {
  const auto* states = std::get_if<wire::States>(&answer);
  if (states == nullptr) return {};
  // An answer that was asked for twice may come twice.
  const Digest last = states_.empty() ? Digest{} : states_.back();
  for (const Digest& state : states->states) {
    if (state > last) states_.push_back(state);
  }
  if (states->more) return start();
  end();
  return {};
}

ClientMessages FetchTransfer::start() { return {wire::AskFile{state_}}; }

ClientMessages FetchTransfer::on_answer(const wire::ToCheckpointClient& answer) {
  if (const auto* missing = std::get_if<wire::Missing>(&answer); missing != nullptr) {
    if (missing->state == state_) end("the checkpoint service says: " + missing->reason);
  } else if (const auto* file = std::get_if<wire::File>(&answer); file != nullptr) {
    if (file->state == state_) return on_file(*file);
  } else if (const auto* chunk = std::get_if<wire::Chunk>(&answer); chunk != nullptr) {
    if (chunk->state == state_) return on_chunk(*chunk);
  }
  return {};
}

// Another digest than before: the service has another checkpoint of this state now.
ClientMessages FetchTransfer::on_file(const wire::File& file) {
  const bool same = arriving_ != nullptr && arriving_->expected().digest == file.digest &&
                    arriving_->expected().size == file.size;
  if (!same) {
    auto arriving = folder_.receive(state_, file.digest, file.size);
    if (!arriving) {
      end(arriving.error().message);
      return {};
    }
    arriving_ = *std::move(arriving);
  }
  asked_ = arriving_->received();
  return ask_for_more();
}

ClientMessages FetchTransfer::on_chunk(const wire::Chunk& chunk) {
  if (arriving_ == nullptr || chunk.offset != arriving_->received()) return {};
  if (auto written = arriving_->append(text_of(chunk.bytes)); !written) {
    end(written.error().message);
    return {};
  }
  return ask_for_more();
}

ClientMessages FetchTransfer::ask_for_more() {
  ClientMessages messages;
  const std::int64_t size = arriving_->expected().size;
  if (arriving_->complete()) {
    const auto kept = arriving_->finish();
    kept ? end() : end(kept.error().message);
    return messages;
  }
  while (asked_ < std::min(size, arriving_->received() + kWindow)) {
    const std::int64_t count = std::min(kChunk, size - asked_);
    messages.emplace_back(wire::ReadChunk{.state = state_, .offset = asked_, .count = count});
    asked_ += count;
  }
  return messages;
}

ClientMessages PushTransfer::start() {
  if (!file_) {
    auto file = folder_.open_file(state_);
    auto digest = file ? file->digest() : Result<Digest>(tl::unexpected(file.error()));
    if (!digest) {
      end(digest.error().message);
      return {};
    }
    digest_ = *digest;
    file_ = *std::move(file);
  }
  offered_ = true;
  return {wire::OfferFile{.state = state_, .digest = digest_, .size = file_->size()}};
}

ClientMessages PushTransfer::on_answer(const wire::ToCheckpointClient& answer) {
  if (const auto* stored = std::get_if<wire::Stored>(&answer); stored != nullptr) {
    if (stored->state == state_) end();
  } else if (const auto* refused = std::get_if<wire::NotTaken>(&answer); refused != nullptr) {
    if (refused->state == state_) end("the checkpoint service says: " + refused->reason);
  } else if (const auto* wanted = std::get_if<wire::Wanted>(&answer); wanted != nullptr) {
    if (wanted->state == state_ && wanted->digest == digest_) return on_wanted(*wanted);
  }
  return {};
}

// The first answer to an offer says where to go on, maybe before what was sent over a connection
// that broke; later ones only confirm.
ClientMessages PushTransfer::on_wanted(const wire::Wanted& wanted) {
  ClientMessages messages;
  if (!file_ || wanted.offset > file_->size()) return messages;
  confirmed_ = wanted.offset;
  sent_ = std::exchange(offered_, false) ? confirmed_ : std::max(sent_, confirmed_);
  const std::int64_t end_of_credit = std::min(file_->size(), confirmed_ + wanted.credit);
  while (sent_ < end_of_credit) {
    const auto bytes = file_->read(sent_, std::min(kChunk, end_of_credit - sent_));
    if (!bytes || bytes->empty()) {
      end(bytes ? "the checkpoint became shorter" : bytes.error().message);
      return {};
    }
    messages.emplace_back(wire::WriteChunk{.state = state_,
                                           .digest = digest_,
                                           .offset = sent_,
                                           .bytes = {bytes->begin(), bytes->end()}});
    sent_ += std::ssize(*bytes);
  }
  return messages;
}

}  // namespace lrtune
