#include "common/wire/utf8.h"

#include <algorithm>

namespace lrtune::wire {
namespace {

struct Lead {
  std::size_t length;       // of the sequence; 0: no sequence starts so
  unsigned char low, high;  // allowed second byte (RFC 3629, section 4)
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Length of the sequence at `at`, or 0 if it is not well-formed.
std::size_t sequence_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const Lead lead = lead_of(byte(at));
  if (lead.length <= 1) return lead.length;
  if (text.size() - at < lead.length) return 0;
  if (byte(at + 1) < lead.low || byte(at + 1) > lead.high) return 0;
  for (std::size_t i = at + 2; i < at + lead.length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return lead.length;
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kCut = "...";

// U+200E, U+200F, U+2028 to U+202E and U+2066 to U+2069: they break a line, or turn its direction
// round (https://www.unicode.org/reports/tr9/), so that a name looks like another.
bool changes_line(unsigned char second, unsigned char third) {
  if (second == 0x80) return third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE);
  return second == 0x81 && third >= 0xA6 && third <= 0xA9;
}

// Of the sequence at `at`, which is well-formed.
bool is_control(std::string_view text, std::size_t at, std::size_t length) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if (length == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
  if (length == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;
  return length == 3 && byte(0) == 0xE2 && changes_line(byte(1), byte(2));
}

}  // namespace

bool is_printable(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_at(text, at);
    if (length == 0 || is_control(text, at, length)) return false;
    at += length;
  }
  return true;
}

std::string printable_text(std::string_view text) {
  std::string printable;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::max<std::size_t>(1, sequence_at(text, at));
    const bool kept = text[at] == '\n' || text[at] == '\t' || !is_control(text, at, length);
    printable.append(kept ? text.substr(at, length) : "?");
    at += length;
  }
  return printable;
}

std::size_t well_formed_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence_at(text, at);
    if (length == 0) break;
    at += length;
  }
  return at;
}

std::string repaired_text(std::string_view text, std::size_t max_bytes) {
  std::string repaired;
  std::size_t cut_at = 0;  // the longest start of `repaired` that leaves room for kCut
  for (std::size_t at = 0; at < text.size();) {
    if (repaired.size() + kCut.size() <= max_bytes) cut_at = repaired.size();
    const std::size_t length = sequence_at(text, at);
    const std::string_view next = length == 0 ? kReplacement : text.substr(at, length);
    if (repaired.size() + next.size() > max_bytes) {
      repaired.resize(cut_at);
      return repaired.append(kCut);
    }
    repaired.append(next);
    at += length == 0 ? 1 : length;
  }
  return repaired;
}

}  // namespace lrtune::wire
