#include "coordinator/core/records.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstddef>

namespace lrtune {
namespace {

// The names of an enumeration, in its order: they stand in the store, so they never change.
constexpr std::array<std::string_view, 7> kCampaignStates = {
    "surveying", "searching", "verifying", "scaling", "done", "failed", "cancelled"};
constexpr std::array<std::string_view, 7> kTrialStates = {
    "waiting", "running", "done", "diverged", "failed", "cancelled", "stopped"};
constexpr std::array<std::string_view, 6> kJobStates = {"pending", "assigned", "running",
                                                        "done",    "diverged", "failed"};
constexpr std::array<std::string_view, 3> kTrialPhases = {"search", "verify", "tolerance"};
constexpr std::array<std::string_view, 3> kWorkerOrders = {"admit", "drain", "ban"};

template <typename Enum, std::size_t size>
Result<Enum> from_name(const std::array<std::string_view, size>& names, std::string_view name,
                       std::string_view what) {
  for (std::size_t i = 0; i < size; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return fail(fmt::format("{} must be one of {}, not '{}'", what, fmt::join(names, ", "), name));
}

}  // namespace

std::string_view name_of(CampaignState state) {
  return kCampaignStates.at(static_cast<std::size_t>(state));
}
std::string_view name_of(TrialState state) {
  return kTrialStates.at(static_cast<std::size_t>(state));
}
std::string_view name_of(JobState state) { return kJobStates.at(static_cast<std::size_t>(state)); }
std::string_view name_of(TrialPhase phase) {
  return kTrialPhases.at(static_cast<std::size_t>(phase));
}

std::string_view name_of(WorkerOrder order) {
  return kWorkerOrders.at(static_cast<std::size_t>(order));
}

Result<CampaignState> campaign_state_from_name(std::string_view name) {
  return from_name<CampaignState>(kCampaignStates, name, "a campaign's state");
}

Result<TrialState> trial_state_from_name(std::string_view name) {
  return from_name<TrialState>(kTrialStates, name, "a trial's state");
}

Result<JobState> job_state_from_name(std::string_view name) {
  return from_name<JobState>(kJobStates, name, "a job's state");
}

Result<TrialPhase> trial_phase_from_name(std::string_view name) {
  return from_name<TrialPhase>(kTrialPhases, name, "a trial's phase");
}

Result<WorkerOrder> worker_order_from_name(std::string_view name) {
  return from_name<WorkerOrder>(kWorkerOrders, name, "a worker's order");
}

}  // namespace lrtune
