#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>

#include "common/wire/bodies.h"
#include "common/wire/codec.h"
#include "common/wire/frequent.h"
#include "common/wire/structure.h"

namespace lrtune::wire {
namespace {

using nlohmann::json;

template <typename Message, typename Variant>
Result<Variant> read_as(const json& body) {
  Message message;
  BodyReader reader(body, std::string(kKind<Message>));
  read_body(reader, message);
  if (auto error = reader.finish()) return tl::unexpected(std::move(*error));
  return Variant(std::move(message));
}

template <typename Variant, std::size_t I = 0>
Result<Variant> read_kind(const std::string& kind, const json& body) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return fail(
        fmt::format("version {} has no message '{}' in this direction", kProtocolVersion, kind));
  } else {
    using Message = std::variant_alternative_t<I, Variant>;
    if (kind == kKind<Message>) return read_as<Message, Variant>(body);
    return read_kind<Variant, I + 1>(kind, body);
  }
}

template <typename Variant>
Result<Variant> read_message(const json& element) {
  if (!element.is_array() || element.size() != 2 || !element[0].is_string()) {
    return fail("a message must be [kind, body]");
  }
  return read_kind<Variant>(element[0].get_ref<const std::string&>(), element[1]);
}

// The bytes as a tree, safe to walk: at most kMaxDepth deep, keys once, texts in UTF-8.
Result<json> tree_of(std::span<const std::uint8_t> frame) {
  if (auto checked = check_structure(frame); !checked) return tl::unexpected(checked.error());
  json tree = json::from_msgpack(frame.begin(), frame.end(), true, false);
  if (tree.is_discarded()) return fail("malformed frame: it is not MessagePack");
  return tree;
}

template <typename Variant>
Result<std::vector<Variant>> read_all(const json& tree) {
  if (tree.size() < 2) return fail("a frame must hold a message");
  std::vector<Variant> messages;
  messages.reserve(tree.size() - 1);
  for (std::size_t i = 1; i < tree.size(); ++i) {
    auto message = read_message<Variant>(tree[i]);
    if (!message) return tl::unexpected(std::move(message.error()));
    messages.push_back(std::move(*message));
  }
  return messages;
}

Result<std::int64_t> checked_version(std::span<const std::uint8_t> frame) {
  if (frame.size() > kMaxFrameBytes) {
    return fail(fmt::format("a frame has at most {} bytes, not {}", kMaxFrameBytes, frame.size()));
  }
  return frame_version(frame);
}

tl::unexpected<Error> other_version(std::int64_t version) {
  return fail(fmt::format("the peer speaks protocol version {}, this program version {}", version,
                          kProtocolVersion));
}

// Without a tree, if the header and all messages are as encode() makes the frequent ones.
template <typename Variant>
bool read_without_tree(std::span<const std::uint8_t> frame, std::vector<Variant>& messages) {
  std::size_t elements = 0;
  std::size_t header = 0;
  if (frame.size() > 2 && frame[0] >= 0x91 && frame[0] <= 0x9F) {
    elements = frame[0] & 0x0FU;
    header = 1;
  } else if (frame.size() > 4 && frame[0] == 0xDC) {
    elements = std::size_t{frame[1]} << 8U | frame[2];
    header = 3;
  }
  if (elements < 2 || frame[header] != kProtocolVersion) return false;
  constexpr std::size_t kShortest = 4;  // bytes of a message
  messages.reserve(std::min(elements, frame.size() / kShortest));
  return read_frequent(frame.subspan(header + 1), elements - 1, messages);
}

template <typename Variant>
Result<std::vector<Variant>> decode_all(std::span<const std::uint8_t> frame) {
  const auto version = checked_version(frame);
  if (!version) return tl::unexpected(version.error());
  if (*version != kProtocolVersion) return other_version(*version);
  if (std::vector<Variant> messages; read_without_tree(frame, messages)) return messages;
  const auto tree = tree_of(frame);
  if (!tree) return tl::unexpected(tree.error());
  auto messages = read_all<Variant>(*tree);
  if constexpr (std::is_same_v<Variant, FromCoordinator>) {
    if (messages) note_documents(*messages);
  }
  return messages;
}

// REJECTED is the one message that keeps its form in all versions, so that a peer of any other
// learns why.
std::optional<Rejected> rejected_of_any_version(std::span<const std::uint8_t> frame) {
  const auto tree = tree_of(frame);
  if (!tree || tree->size() != 2) return std::nullopt;
  const auto message = read_message<FromCoordinator>((*tree)[1]);
  if (!message || !std::holds_alternative<Rejected>(*message)) return std::nullopt;
  return std::get<Rejected>(*message);
}

}  // namespace

Result<std::vector<ToCoordinator>> decode_to_coordinator(std::span<const std::uint8_t> frame) {
  return decode_all<ToCoordinator>(frame);
}

Result<std::vector<FromCoordinator>> decode_from_coordinator(std::span<const std::uint8_t> frame) {
  const auto version = checked_version(frame);
  if (version && *version != kProtocolVersion) {
    if (auto rejected = rejected_of_any_version(frame))
      return std::vector<FromCoordinator>{*rejected};
  }
  return decode_all<FromCoordinator>(frame);
}

}  // namespace lrtune::wire
