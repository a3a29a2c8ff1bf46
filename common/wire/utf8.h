// Texts on the wire are UTF-8 (RFC 3629). What a peer sends is checked; what a library or a file
// system gave us for people to read is repaired before it is sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lrtune::wire {

// Length in bytes of the longest well-formed start of `text`: no overlong forms, surrogates or code
// points above U+10FFFF.
std::size_t well_formed_prefix(std::string_view text);

inline bool is_utf8(std::string_view text) { return well_formed_prefix(text) == text.size(); }

// Whether a terminal shows `text` and nothing else happens: UTF-8 without control characters
// (U+0000 to U+001F, U+007F to U+009F), and without those that break or turn a line (U+200E,
// U+200F, U+2028 to U+202E, U+2066 to U+2069).
bool is_printable(std::string_view text);

// Well-formed `text` with a "?" for each of these characters but line feeds and tabs. Not longer.
std::string printable_text(std::string_view text);

// `text` with each byte that belongs to no well-formed sequence replaced by U+FFFD, cut at a
// character's boundary to at most `max_bytes`, of which "..." is part if something was cut.
// `max_bytes` is at least 3.
std::string repaired_text(std::string_view text, std::size_t max_bytes);

}  // namespace lrtune::wire
