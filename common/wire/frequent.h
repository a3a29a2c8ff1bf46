// The messages that every trial costs, written and read without a tree of JSON between them and the
// bytes. They are the same bytes as the tree's, and what is read here is read alike: anything
// unusual is left to the tree (encode_bodies.cc, decode_bodies.cc), which also makes the errors.
// Inside of common/wire.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/wire/messages.h"

namespace lrtune::wire {

// Appends [kind, body]. False, with nothing appended: the tree must write this message.
bool append_frequent(const FromCoordinator& message, std::vector<std::uint8_t>& bytes);
bool append_frequent(const ToCoordinator& message, std::vector<std::uint8_t>& bytes);

// Reads all messages of a frame of this protocol version; `frame` starts behind the version. False:
// the tree must read it, and `messages` means nothing.
bool read_frequent(std::span<const std::uint8_t> frame, std::size_t count,
                   std::vector<FromCoordinator>& messages);
bool read_frequent(std::span<const std::uint8_t> frame, std::size_t count,
                   std::vector<ToCoordinator>& messages);

// Documents of an assignment that the tree has read: the next ones are likely the same.
void note_documents(const std::vector<FromCoordinator>& messages);

}  // namespace lrtune::wire
