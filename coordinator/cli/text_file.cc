#include "coordinator/cli/text_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "common/config/located_json.h"

namespace lrtune {

Result<std::string> read_text_file(const std::string& path, const std::string& what) {
  if (path.empty()) return fail(fmt::format("FILE is empty; it is {} in YAML", what));
  std::error_code none;
  if (std::filesystem::is_directory(path, none))
    return fail(fmt::format("{} is a folder, not {}'s file", path, what));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  // One byte more than allowed shows that there is more; the file may have no end.
  std::string text(kMaxYamlBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxYamlBytes) {
    return fail(fmt::format("{} has more than {} bytes; {} has at most so many", path,
                            kMaxYamlBytes, what));
  }
  return text;
}

}  // namespace lrtune
