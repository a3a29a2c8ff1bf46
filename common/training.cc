#include "common/training.h"

#include <fmt/format.h>

#include <array>
#include <span>

#include "common/json_reader.h"

namespace lrtune {
namespace {

constexpr std::array<std::string_view, 3> kPartNames = {"train", "validation", "test"};
constexpr std::array<std::string_view, 2> kMeasureNames = {"top1", "loss"};
constexpr std::array<std::string_view, 7> kOutcomeNames = {
    "completed", "target_reached", "diverged", "failed", "stopped", "failed_here", "time_limit"};

template <typename Enum>
Result<Enum> value_named(std::string_view name, std::span<const std::string_view> names,
                         std::string_view what) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  const std::vector<std::string> known(names.begin(), names.end());
  const auto near = nearest_name(name, known);
  return fail(fmt::format("{} must be one of {}, not '{}'{}", what, fmt::join(known, ", "), name,
                          near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

}  // namespace

std::string_view name_of(Part part) { return kPartNames[static_cast<std::size_t>(part)]; }
std::string_view name_of(Measure measure) {
  return kMeasureNames[static_cast<std::size_t>(measure)];
}
std::string_view name_of(OutcomeKind kind) { return kOutcomeNames[static_cast<std::size_t>(kind)]; }

Result<Part> part_from_name(std::string_view name) {
  return value_named<Part>(name, kPartNames, "the part of the data");
}
Result<OutcomeKind> outcome_kind_from_name(std::string_view name) {
  return value_named<OutcomeKind>(name, kOutcomeNames, "the outcome");
}

Digest TrainingIdentity::hash() const {
  TrainingIdentity elsewhere = *this;
  elsewhere.train.dataset.path.clear();  // the data are named by their fingerprint
  elsewhere.train.model.file.clear();    // the network by its digest
  return sha256(to_json(elsewhere).dump());
}

}  // namespace lrtune
