// What a training thread is doing, as far as a watcher must know it.
#pragma once

#include <cstdint>
#include <string_view>

namespace lrtune {

// Steps of training come one after the other; the other phases take long without one.
enum class TrainingPhase : std::uint8_t {
  kLoading,  // looks at the data, reads them, restores a checkpoint: each job begins so
  kWaitingForDevice,
  kTraining,
  kEvaluating,
  kCheckpointing,  // keeps a checkpoint, or hands one over to another machine
};

// As in "it has been ... for 300 s".
constexpr std::string_view name_of(TrainingPhase phase) {
  switch (phase) {
    case TrainingPhase::kLoading:
      return "loading";
    case TrainingPhase::kWaitingForDevice:
      return "waiting for memory of its device";
    case TrainingPhase::kTraining:
      return "training";
    case TrainingPhase::kEvaluating:
      return "evaluating";
    case TrainingPhase::kCheckpointing:
      return "checkpointing";
  }
  return "";
}

}  // namespace lrtune
