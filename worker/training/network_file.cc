#include "worker/training/network_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <vector>

namespace lrtune {
namespace {

namespace fs = std::filesystem;

bool is_inside(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

// The real path of `file` in one of the folders; nothing if it is in none.
std::optional<fs::path> find_in(const fs::path& file, std::span<const fs::path> trusted) {
  for (const fs::path& folder : trusted) {
    std::error_code error;
    const fs::path real_folder = fs::canonical(folder, error);
    if (error) continue;
    const fs::path real = fs::canonical(real_folder / file, error);  // an absolute file stays one
    if (!error && fs::is_regular_file(real, error) && is_inside(real, real_folder)) return real;
  }
  return std::nullopt;
}

std::string names_of(std::span<const fs::path> folders) {
  std::string names;
  for (const fs::path& folder : folders) names += (names.empty() ? "" : ", ") + folder.string();
  return names;
}

}  // namespace

Result<NetworkFile> read_network_file(const std::string& file, std::span<const fs::path> trusted) {
  if (trusted.empty()) {
    return fail(
        fmt::format("the network {} is code that this worker would run: it takes networks only "
                    "from folders that it was told to trust, and was told none "
                    "(--trust-folder FOLDER)",
                    file));
  }
  const auto path = find_in(file, trusted);
  if (!path) {
    return fail(fmt::format("the network {} is no file in a folder that this worker trusts ({})",
                            file, names_of(trusted)));
  }
  std::ifstream stream(*path, std::ios::binary);
  NetworkFile network{.path = *path,
                      .bytes = std::string(std::istreambuf_iterator<char>(stream), {}),
                      .digest = {}};
  if (!stream.is_open() || stream.bad()) {
    return fail(
        fmt::format("cannot read the network {}: {}", path->string(), std::strerror(errno)));
  }
  network.digest = sha256(network.bytes);
  return network;
}

}  // namespace lrtune
