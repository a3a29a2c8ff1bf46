// Text for SVG documents.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lrtune {

// `text` as XML character data or attribute value; what XML cannot hold (control characters,
// invalid UTF-8) becomes '?'.
std::string escaped(std::string_view text);

// Characters of a UTF-8 text.
std::size_t character_count(std::string_view text);

// At most `most` characters; a longer text ends in an ellipsis.
std::string cut_to(std::string_view text, std::size_t most);

}  // namespace lrtune
