#include "coordinator/cli/output_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <system_error>

namespace lrtune {

Result<OutputFolder> OutputFolder::open(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path / "logs", error);
  if (error) return fail(fmt::format("cannot make {}: {}", path.string(), error.message()));
  auto lock = FileLock::take((path / "logs" / ".lock").string(), "the folder " + path.string(),
                             "one run at a time writes a folder; --output names another");
  if (!lock) return tl::unexpected(lock.error());
  return OutputFolder(path, *std::move(lock));
}

void mark_new_run(const std::filesystem::path& log) {
  std::error_code none;
  const auto size = std::filesystem::file_size(log, none);
  if (none || size == 0) return;
  std::time_t now = std::time(nullptr);
  std::tm fields{};
  localtime_r(&now, &fields);
  std::ofstream(log, std::ios::app) << fmt::format(
      "======== {:%Y-%m-%dT%H:%M:%S%z} a new run, process {} ========\n", fields, getpid());
}

}  // namespace lrtune
