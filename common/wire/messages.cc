#include "common/wire/messages.h"

#include <fmt/format.h>

#include <array>

#include "common/wire/utf8.h"

namespace lrtune::wire {
namespace {

// In the order of the enumerations: they stand on the wire, so they never change.
constexpr std::array<std::string_view, kOrderKinds> kOrders = {"pause", "resume", "cancel",
                                                               "drain", "ban",    "admit"};
constexpr std::array<std::string_view, kInspectKinds> kInspections = {"campaigns", "campaign",
                                                                      "workers"};

constexpr std::array<std::string_view, kJudgementKinds> kJudgements = {"verdict", "composed"};

}  // namespace

std::string_view name_of(OrderKind kind) { return kOrders.at(static_cast<std::size_t>(kind)); }

std::string_view name_of(InspectKind kind) {
  return kInspections.at(static_cast<std::size_t>(kind));
}

std::string_view name_of(JudgementKind kind) {
  return kJudgements.at(static_cast<std::size_t>(kind));
}

Result<void> check_worker_name(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes && is_printable(name)) return {};
  return fail(
      fmt::format("must be a name of 1 to {} bytes of UTF-8 without control characters, not {} "
                  "bytes",
                  kMaxNameBytes, name.size()));
}

std::string_view history_of(std::string_view incarnation) {
  const std::size_t end = incarnation.rfind('-');
  return end == std::string_view::npos ? std::string_view() : incarnation.substr(0, end);
}

bool is_from_client(const ToCoordinator& message) {
  return std::holds_alternative<Submit>(message) || std::holds_alternative<Order>(message) ||
         std::holds_alternative<Extend>(message) || std::holds_alternative<Judge>(message) ||
         std::holds_alternative<Inspect>(message);
}

}  // namespace lrtune::wire
