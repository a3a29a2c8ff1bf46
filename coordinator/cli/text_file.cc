#include "coordinator/cli/text_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace lrtune {

Result<std::string> read_text_file(const std::string& path, const std::string& what) {
  if (path.empty()) return fail(fmt::format("FILE is empty; it is {} in YAML", what));
  std::error_code none;
  if (std::filesystem::is_directory(path, none))
    return fail(fmt::format("{} is a folder, not {}'s file", path, what));
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  return text.str();
}

}  // namespace lrtune
