#include "common/policy/policy_yaml.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "common/policy/parameters.h"

namespace lrtune {
namespace {

std::string number(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find('.') != std::string::npos) return text;
  const std::size_t exponent = text.find('e');
  text.insert(exponent == std::string::npos ? text.size() : exponent, ".0");
  return text;
}

std::vector<std::string> lines_of(const LrFunction& function) {
  const ParameterSet takes = parameters_of(function.kind);
  std::vector<std::string> lines;
  lines.push_back(fmt::format("function: {}", name_of(function.kind)));
  lines.push_back("k0: " + number(function.k0));
  if (takes.k1) lines.push_back("k1: " + number(function.k1));
  if (takes.gamma) lines.push_back("gamma: " + number(function.gamma));
  if (takes.p) lines.push_back("p: " + number(function.p));
  if (takes.l) lines.push_back(fmt::format("l: {}", function.l));
  if (takes.boundaries)
    lines.push_back(fmt::format("l: [{}]", fmt::join(function.boundaries, ", ")));
  return lines;
}

// An item of a list.
std::string item(const std::vector<std::string>& lines, const std::string& margin) {
  std::string text;
  std::string_view mark = "  - ";
  for (const std::string& line : lines) {
    text += margin + std::string(mark) + line + '\n';
    mark = "    ";
  }
  return text;
}

std::string plateau_to_yaml(const Plateau& plateau, const std::string& margin) {
  std::string text = margin + "controller: plateau\n" + margin + "functions:\n";
  for (const LrFunction& function : plateau.functions) text += item(lines_of(function), margin);
  for (const std::string& line :
       {fmt::format("start: {}", plateau.start), fmt::format("every: {}", plateau.every),
        fmt::format("metric: {}", name_of(plateau.metric)),
        fmt::format("window: {}", plateau.window), "threshold: " + number(plateau.threshold),
        fmt::format("cooldown: {}", plateau.cooldown), fmt::format("length: {}", plateau.length)}) {
    text += margin + line + '\n';
  }
  return text;
}

}  // namespace

std::string policy_to_yaml(const Policy& policy, int indent) {
  const std::string margin(static_cast<std::size_t>(indent), ' ');
  if (policy.plateau) return plateau_to_yaml(*policy.plateau, margin);
  std::string text;
  const Segment& first = policy.segments.front();
  if (policy.segments.size() == 1 && first.until == kNoEnd && first.from_t == 0) {
    for (const std::string& line : lines_of(first.function)) text += margin + line + '\n';
    return text;
  }
  text = margin + "segments:\n";
  for (const Segment& segment : policy.segments) {
    std::vector<std::string> lines = lines_of(segment.function);
    if (segment.from_t != 0) lines.push_back(fmt::format("from_t: {}", segment.from_t));
    if (segment.until != kNoEnd)
      lines.insert(lines.begin(), fmt::format("until: {}", segment.until));
    text += item(lines, margin);
  }
  return text;
}

}  // namespace lrtune
