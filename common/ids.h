// Identifiers. Each is its own type, so that a trial's number cannot stand where a job's is meant.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace lrtune {

template <typename Tag>
struct Id {
  std::int64_t value = 0;  // 1, 2, 3 ... in one store; 0 means none
  explicit operator bool() const { return value != 0; }
  auto operator<=>(const Id&) const = default;
};

using CampaignId = Id<struct CampaignTag>;
using TrialId = Id<struct TrialTag>;
using JobId = Id<struct JobTag>;

// One execution of a stage job by a worker: 1, 2, 3 ... per job. It is the fencing token: a report
// that carries an older attempt than the job's current one changes nothing.
using Attempt = std::int64_t;

}  // namespace lrtune

template <typename Tag>
struct std::hash<lrtune::Id<Tag>> {
  std::size_t operator()(lrtune::Id<Tag> id) const noexcept {
    return std::hash<std::int64_t>{}(id.value);
  }
};
