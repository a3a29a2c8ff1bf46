#include "coordinator/cli/run_settings.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "coordinator/cli/planned_run.h"
#include "coordinator/cli/text_file.h"
#include "coordinator/search/search.h"

namespace lrtune {
Result<Experiment> read_experiment(const RunOptions& options, const Result<RangeFinding>& range) {
  const auto text = read_text_file(options.file, "an experiment");
  if (!text) return tl::unexpected(text.error());
  auto experiment = experiment_from_text(*text, options.file, range);
  if (!experiment || options.device.empty()) return experiment;
  return on_device(*experiment, options.device);
}

WorkerNeeds worker_needs(const Experiment& experiment) {
  // Neither takes a domain: each is one for the whole campaign.
  const nlohmann::json& train = experiment.train.tree;
  return {train.value("device", TrainSpec{}.device), train.value("threads", TrainSpec{}.threads)};
}

int default_workers(std::span<const Experiment> experiments, const WorkerNeeds& needs, int cores) {
  if (needs.device != "cpu") return 1;
  const std::int64_t by_cores = std::max(1, cores / needs.threads);
  std::int64_t useful = 0;
  for (const Experiment& experiment : experiments) {
    const std::int64_t searched = candidate_count(experiment).value_or(by_cores);
    const std::int64_t verified =
        std::int64_t{experiment.verify_top} * std::int64_t{experiment.verify_repeats};
    useful += std::min(by_cores, std::max<std::int64_t>({1, searched, verified}));
  }
  return static_cast<int>(std::min(by_cores, useful));
}

std::filesystem::path default_output(const Experiment& experiment) {
  return std::filesystem::path("lrtune-results") /
         fmt::format("{}-{}", experiment.name, experiment.hash.hex().substr(0, 8));
}

Result<std::optional<std::filesystem::path>> checkpoint_folder(const RunOptions& options) {
  if (options.no_checkpoints) return std::nullopt;
  std::filesystem::path folder = options.checkpoints;
  if (folder.empty())
    folder = std::filesystem::path(options.store).replace_extension(".checkpoints");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && access(folder.c_str(), W_OK | X_OK) != 0) error = {errno, std::generic_category()};
  if (error) {
    return fail(
        fmt::format("checkpoints cannot be kept in {}: {}; --checkpoints names another folder, "
                    "--no-checkpoints keeps none",
                    folder.string(), error.message()));
  }
  return folder;
}

Result<std::filesystem::path> worker_program(const RunOptions& options, const WorkerNeeds& needs,
                                             const std::filesystem::path& folder) {
  if (!options.worker_program.empty()) return std::filesystem::path(options.worker_program);
  const std::filesystem::path program =
      folder / (needs.device == "cuda" ? "lrtune-worker-cuda" : "lrtune-worker");
  if (!std::filesystem::exists(program)) {
    return fail(fmt::format("there is no {} in {}; --worker-program says where it is",
                            program.filename().string(), folder.string()));
  }
  return program;
}

}  // namespace lrtune
