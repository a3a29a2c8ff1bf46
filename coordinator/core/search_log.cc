#include "coordinator/core/search_log.h"

#include <fmt/format.h>

namespace lrtune {
namespace {

bool is_count(const nlohmann::json& numbers, const char* key) {
  const auto number = numbers.find(key);
  return number != numbers.end() && number->is_number_integer() && *number >= 0;
}

}  // namespace

FlatJson log_numbers(const SearchDecision& decision) {
  nlohmann::json numbers = decision.known;
  numbers["candidate"] = decision.action.candidate;
  numbers["rung"] = decision.action.rung;
  return numbers;
}

FlatJson log_numbers(const RungResult& result) {
  return {{"candidate", result.candidate}, {"rung", result.rung}, {"value", result.value}};
}

FlatJson log_numbers(const EarlyStop& stop) {
  nlohmann::json numbers = stop.known;
  numbers["iteration"] = stop.iteration;
  return numbers;
}

Result<SearchLogEntry> log_entry(const DecisionRecord& decision) {
  nlohmann::json numbers = decision.numbers.json();
  const bool of_search = decision.code == kProposed || decision.code == kPromoted;
  if (!is_count(numbers, "candidate") || !is_count(numbers, "rung") ||
      (!of_search && (decision.code != kObserved || !numbers.contains("value")))) {
    return fail(fmt::format("the decision {} {} is none of a search's log", decision.code,
                            decision.numbers.text()));
  }
  const auto candidate = numbers["candidate"].get<std::int64_t>();
  const auto rung = numbers["rung"].get<std::size_t>();
  SearchLogEntry entry;
  if (!of_search) {
    const nlohmann::json& value = numbers["value"];
    entry.result = RungResult{candidate, rung, std::nullopt};
    if (value.is_number()) entry.result->value = value.get<double>();
    return entry;
  }
  const auto kind =
      decision.code == kPromoted ? HalvingAction::Kind::kPromote : HalvingAction::Kind::kStart;
  numbers.erase("candidate");
  numbers.erase("rung");
  entry.decision = {{kind, candidate, rung}, std::move(numbers)};
  return entry;
}

}  // namespace lrtune
