#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "common/wire/body_reader.h"
#include "common/wire/checkpoint_messages.h"
#include "common/wire/structure.h"
#include "common/wire/utf8.h"

namespace lrtune::wire {
namespace {

using nlohmann::json;

constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kMaxReasonBytes = 1024;
constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 50;  // keeps sums in range

// Writer and Reader have the same members, so that fields() below says each body once.
class Writer {
 public:
  void digest(const char* key, const Digest& digest) {
    body_[key] = json::binary({digest.bytes.begin(), digest.bytes.end()});
  }
  void digests(const char* key, const std::vector<Digest>& digests) {
    Bytes all;
    all.reserve(digests.size() * kDigestBytes);
    for (const Digest& one : digests) all.insert(all.end(), one.bytes.begin(), one.bytes.end());
    body_[key] = json::binary(std::move(all));
  }
  void bytes(const char* key, const Bytes& bytes) { body_[key] = json::binary(bytes); }
  void number(const char* key, std::int64_t number, std::int64_t, std::int64_t) {
    body_[key] = number;
  }
  void flag(const char* key, bool flag) { body_[key] = flag; }
  void reason(const char* key, const std::string& text) {
    body_[key] = repaired_text(text, kMaxReasonBytes);
  }

  json take() { return std::move(body_); }

 private:
  json body_ = json::object();
};

class Reader {
 public:
  Reader(const json& body, std::string kind) : reader_(body, std::move(kind)) {}

  void digest(const char* key, Digest& digest) { digest = reader_.digest(key); }
  void digests(const char* key, std::vector<Digest>& digests) {
    Bytes all;
    bytes(key, all, kMaxListedStates * kDigestBytes);
    if (all.size() % kDigestBytes != 0)
      return reader_.error(key, "must be digests of 32 bytes each");
    digests.resize(all.size() / kDigestBytes);
    for (std::size_t i = 0; i < digests.size(); ++i) {
      const auto start = all.begin() + static_cast<std::ptrdiff_t>(i * kDigestBytes);
      std::copy_n(start, kDigestBytes, digests[i].bytes.begin());
    }
  }
  void bytes(const char* key, Bytes& bytes, std::size_t most = kMaxChunkBytes) {
    const json* value = reader_.value(key);
    if (value == nullptr) return;
    if (!value->is_binary() || value->get_binary().size() > most)
      return reader_.error(key, fmt::format("must be binary of at most {} bytes", most));
    bytes.assign(value->get_binary().begin(), value->get_binary().end());
  }
  void number(const char* key, std::int64_t& number, std::int64_t low, std::int64_t high) {
    number = reader_.integer(key, low, high);
  }
  void flag(const char* key, bool& flag) {
    const json* value = reader_.value(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return reader_.error(key, "must be true or false");
    flag = value->get<bool>();
  }
  void reason(const char* key, std::string& text) { text = reader_.text(key); }

  std::optional<Error> finish() { return reader_.finish(); }

 private:
  BodyReader reader_;
};

// ---- the bodies (CHECKPOINTS.md); M is a message, const for the writer

template <typename Message>
constexpr std::string_view kName = "";
template <>
constexpr std::string_view kName<ListStates> = "list";
template <>
constexpr std::string_view kName<AskFile> = "ask";
template <>
constexpr std::string_view kName<ReadChunk> = "read";
template <>
constexpr std::string_view kName<OfferFile> = "offer";
template <>
constexpr std::string_view kName<WriteChunk> = "write";
template <>
constexpr std::string_view kName<UseStates> = "use";
template <>
constexpr std::string_view kName<RemoveState> = "remove";
template <>
constexpr std::string_view kName<States> = "states";
template <>
constexpr std::string_view kName<File> = "file";
template <>
constexpr std::string_view kName<Missing> = "missing";
template <>
constexpr std::string_view kName<Chunk> = "chunk";
template <>
constexpr std::string_view kName<Wanted> = "wanted";
template <>
constexpr std::string_view kName<Stored> = "stored";
template <>
constexpr std::string_view kName<NotTaken> = "not_taken";
template <>
constexpr std::string_view kName<NotUnderstood> = "not_understood";

// A field has the same key and form in all messages that have it.
template <typename Body, typename M>
void fields(Body& body, M& m) {
  if constexpr (requires { m.after; }) body.digest("after", m.after);
  if constexpr (requires { m.state; }) body.digest("state", m.state);
  if constexpr (requires { m.digest; }) body.digest("digest", m.digest);
  if constexpr (requires { m.offset; }) body.number("offset", m.offset, 0, kMaxFileBytes);
  if constexpr (requires { m.size; }) body.number("size", m.size, 1, kMaxFileBytes);
  if constexpr (requires { m.count; }) body.number("count", m.count, 1, kMaxChunkBytes);
  if constexpr (requires { m.credit; }) body.number("credit", m.credit, 0, kMaxFileBytes);
  if constexpr (requires { m.bytes; }) body.bytes("bytes", m.bytes);
  if constexpr (requires { m.states; }) body.digests("states", m.states);
  if constexpr (requires { m.more; }) body.flag("more", m.more);
  if constexpr (requires { m.reason; }) body.reason("reason", m.reason);
}

template <typename Variant>
Frame encode_frame(const Variant& message) {
  return std::visit(
      []<typename Message>(const Message& m) {
        Writer body;
        fields(body, m);
        return json::to_msgpack(
            json::array({kCheckpointProtocolVersion, kName<Message>, body.take()}));
      },
      message);
}

template <typename Variant, std::size_t I = 0>
Result<Variant> read_kind(const std::string& kind, const json& body) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return fail(fmt::format("version {} has no message '{}' in this direction",
                            kCheckpointProtocolVersion, kind));
  } else {
    using Message = std::variant_alternative_t<I, Variant>;
    if (kind != kName<Message>) return read_kind<Variant, I + 1>(kind, body);
    Message message;
    Reader reader(body, kind);
    fields(reader, message);
    if (auto error = reader.finish()) return tl::unexpected(std::move(*error));
    return Variant(std::move(message));
  }
}

template <typename Variant>
Result<Variant> decode_frame(std::span<const std::uint8_t> frame) {
  constexpr const char* kForm = "a frame must be [version, kind, body]";
  if (frame.size() > kMaxCheckpointFrameBytes) {
    return fail(fmt::format("a frame must have at most {} bytes, not {}", kMaxCheckpointFrameBytes,
                            frame.size()));
  }
  if (auto checked = check_structure(frame); !checked) return tl::unexpected(checked.error());
  const json tree = json::from_msgpack(frame.begin(), frame.end(), true, false);
  if (!tree.is_array() || tree.empty() || !tree[0].is_number_unsigned()) return fail(kForm);
  if (tree[0] != kCheckpointProtocolVersion) {
    return fail(fmt::format("the frame has version {}, this program speaks version {}",
                            tree[0].get<std::uint64_t>(), kCheckpointProtocolVersion));
  }
  if (tree.size() != 3 || !tree[1].is_string()) return fail(kForm);
  return read_kind<Variant>(tree[1].get_ref<const std::string&>(), tree[2]);
}

}  // namespace

Frame encode(const ToCheckpointService& message) { return encode_frame(message); }
Frame encode(const ToCheckpointClient& message) { return encode_frame(message); }

Result<ToCheckpointService> decode_to_checkpoint_service(std::span<const std::uint8_t> frame) {
  return decode_frame<ToCheckpointService>(frame);
}

Result<ToCheckpointClient> decode_to_checkpoint_client(std::span<const std::uint8_t> frame) {
  return decode_frame<ToCheckpointClient>(frame);
}

}  // namespace lrtune::wire
