#include "worker/trainer_choice.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "worker/training/synthetic_trainer.h"
#ifdef LRTUNE_WORKER_LIBTORCH
#include "worker/training/libtorch_trainer.h"
#endif

namespace lrtune {
namespace {

constexpr std::string_view kSynthetic = "synthetic";

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<void> set_option(SyntheticOptions& options, std::string_view setting) {
  const std::size_t equals = setting.find('=');
  const std::string_view key = setting.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : setting.substr(equals + 1);
  if (key == "iteration_us") {
    const auto number = number_in<std::int64_t>(value);
    if (!number || *number < 0 || *number > 3'600'000'000) {
      return fail(
          fmt::format("iteration_us must be microseconds from 0 to 3600000000, not '{}'", value));
    }
    options.iteration_time = std::chrono::microseconds(*number);
    return {};
  }
  if (key == "diverge_above") {
    const auto number = number_in<double>(value);
    if (!number || !(*number > 0)) {
      return fail(fmt::format("diverge_above must be a learning rate above 0, not '{}'", value));
    }
    options.diverge_above = *number;
    return {};
  }
  if (key == "hang_at") {
    const auto number = number_in<std::int64_t>(value);
    if (!number || *number < 0)
      return fail(fmt::format("hang_at must be an iteration, 0 or more, not '{}'", value));
    options.hang_at = *number;
    return {};
  }
  if (key == "hang_once") {
    if (value.empty()) return fail("hang_once must name a file");
    options.hang_once = value;
    return {};
  }
  return fail(fmt::format(
      "the synthetic trainer has no option '{}'; known: iteration_us, diverge_above, hang_at, "
      "hang_once",
      key));
}

Result<std::unique_ptr<Trainer>> make_synthetic(const TrainerChoice& choice) {
  if (choice.device != "cpu")
    return fail("the synthetic trainer has the device cpu, not " + choice.device);
  SyntheticOptions options;
  options.threads = choice.threads;
  std::string_view settings(choice.trainer);
  settings.remove_prefix(kSynthetic.size());
  while (!settings.empty()) {
    settings.remove_prefix(1);  // ':' before the first, ',' before each other
    const std::size_t end = std::min(settings.find(','), settings.size());
    if (auto set = set_option(options, settings.substr(0, end)); !set)
      return tl::unexpected(set.error());
    settings.remove_prefix(end);
  }
  return make_synthetic_trainer(options);
}

}  // namespace

#ifdef LRTUNE_WORKER_LIBTORCH
std::string default_trainer() { return "libtorch"; }
std::string available_trainers() { return "libtorch, synthetic"; }
#else
std::string default_trainer() { return "synthetic"; }
std::string available_trainers() { return "synthetic"; }
#endif

std::string available_devices() { return LRTUNE_WORKER_DEVICES; }

Result<std::unique_ptr<Trainer>> make_trainer(const TrainerChoice& choice) {
  const std::string name = choice.trainer.substr(0, choice.trainer.find(':'));
  if (name == kSynthetic) return make_synthetic(choice);
#ifdef LRTUNE_WORKER_LIBTORCH
  if (choice.trainer == "libtorch")
    return make_libtorch_trainer({choice.device, choice.threads, choice.checkpoints, choice.trusted,
                                  choice.decoding, choice.record_steps});
#else
  if (choice.trainer == "libtorch") {
    return fail("this lrtune-worker was built without LibTorch; it has the synthetic trainer only");
  }
#endif
  return fail(fmt::format("there is no trainer '{}'; this program has: {}", choice.trainer,
                          available_trainers()));
}

}  // namespace lrtune
