#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/wire/bodies.h"
#include "common/wire/codec.h"
#include "common/wire/frequent.h"
#include "common/wire/structure.h"

namespace lrtune::wire {
namespace {

// [version, message, message ...]: five bytes hold the longest header that a frame of
// kMaxFrameBytes needs.
constexpr std::size_t kHeaderBytes = 5;

void append_header(Frame& frame, std::size_t messages) {
  const std::size_t elements = messages + 1;
  if (elements <= 15) {
    frame.push_back(static_cast<std::uint8_t>(0x90U | elements));
  } else {  // array16: a message has three bytes or more, so there are fewer than 65,536
    frame.push_back(0xDC);
    frame.push_back(static_cast<std::uint8_t>(elements >> 8U));
    frame.push_back(static_cast<std::uint8_t>(elements));
  }
  static_assert(kProtocolVersion <= 0x7F);
  frame.push_back(kProtocolVersion);
}

class Packer {
 public:
  void add(std::span<const std::uint8_t> message) {
    if (count_ > 0 && kHeaderBytes + bytes_.size() + message.size() > kMaxFrameBytes) close();
    bytes_.insert(bytes_.end(), message.begin(), message.end());
    ++count_;
  }

  std::vector<Frame> take() {
    if (count_ > 0) close();
    return std::move(frames_);
  }

 private:
  void close() {
    Frame frame;
    frame.reserve(kHeaderBytes + bytes_.size());
    append_header(frame, count_);
    frame.insert(frame.end(), bytes_.begin(), bytes_.end());
    frames_.push_back(std::move(frame));
    bytes_.clear();
    count_ = 0;
  }

  std::vector<std::uint8_t> bytes_;
  std::size_t count_ = 0;
  std::vector<Frame> frames_;
};

template <typename Variant>
Result<std::vector<std::uint8_t>> bytes_by_tree(const Variant& message) {
  const auto [kind, body] = std::visit(
      [](const auto& m) { return std::pair(kKind<std::decay_t<decltype(m)>>, body_of(m)); },
      message);
  auto bytes = nlohmann::json::to_msgpack(nlohmann::json::array({kind, body}));
  if (kHeaderBytes + bytes.size() > kMaxFrameBytes) {
    return fail(fmt::format("a {} message of {} bytes is larger than the {} bytes of a frame", kind,
                            bytes.size(), kMaxFrameBytes));
  }
  // A path that is not UTF-8, for one: better an error here than a frame that the peer throws
  // away.
  if (auto checked = check_structure(bytes); !checked)
    return fail(fmt::format("a {} message cannot be sent: {}", kind, checked.error().message));
  return bytes;
}

template <typename Variant>
Result<std::vector<Frame>> encode_all(std::span<const Variant> messages) {
  Packer packer;
  std::vector<std::uint8_t> bytes;
  for (const Variant& message : messages) {
    bytes.clear();
    if (append_frequent(message, bytes) && kHeaderBytes + bytes.size() <= kMaxFrameBytes) {
      packer.add(bytes);
      continue;
    }
    const auto by_tree = bytes_by_tree(message);
    if (!by_tree) return tl::unexpected(by_tree.error());
    packer.add(*by_tree);
  }
  return packer.take();
}

}  // namespace

Result<std::vector<Frame>> encode(std::span<const FromCoordinator> messages) {
  return encode_all(messages);
}

Result<std::vector<Frame>> encode(std::span<const ToCoordinator> messages) {
  return encode_all(messages);
}

}  // namespace lrtune::wire
