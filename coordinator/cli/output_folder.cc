#include "coordinator/cli/output_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <deque>
#include <fstream>
#include <string_view>
#include <system_error>

namespace lrtune {
namespace {

constexpr std::string_view kNewRun = "======== ";

}  // namespace

Result<OutputFolder> OutputFolder::open(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path / "logs", error);
  if (error) return fail(fmt::format("cannot make {}: {}", path.string(), error.message()));
  auto lock =
      FileLock::take((path / "logs" / ".lock").string(), "the folder " + path.string(),
                     "one run at a time writes a folder; --output names another", path.string());
  if (!lock) return tl::unexpected(lock.error());
  return OutputFolder(path, *std::move(lock));
}

std::string end_of_log(const std::filesystem::path& log, int lines) {
  std::ifstream stream(log);
  std::deque<std::string> last;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(kNewRun)) {
      last.clear();
      continue;
    }
    last.push_back(line);
    if (last.size() > static_cast<std::size_t>(lines)) last.pop_front();
  }
  std::string text;
  for (const std::string& line : last) text += (text.empty() ? "  " : "\n  ") + line;
  return text;
}

void mark_new_run(const std::filesystem::path& log) {
  std::error_code none;
  const auto size = std::filesystem::file_size(log, none);
  if (none || size == 0) return;
  std::time_t now = std::time(nullptr);
  std::tm fields{};
  localtime_r(&now, &fields);
  std::ofstream(log, std::ios::app) << fmt::format(
      "{}{:%Y-%m-%dT%H:%M:%S%z} a new run, process {} ========\n", kNewRun, fields, getpid());
}

}  // namespace lrtune
