#include "coordinator/report/terminal.h"

#include <fmt/format.h>

namespace lrtune {
namespace {

std::string_view code_of(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kBold:
      return "\x1b[1m";
    case Ink::kDim:
      return "\x1b[2m";
    case Ink::kGood:
      return "\x1b[32m";
    case Ink::kBad:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string paint(std::string_view text, Ink ink, bool colour) {
  if (!colour || ink == Ink::kPlain) return std::string(text);
  return fmt::format("{}{}\x1b[0m", code_of(ink), text);
}

}  // namespace lrtune
