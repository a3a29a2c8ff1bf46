#include "common/wire/security/key_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace lrtune::wire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 64;
constexpr mode_t kFolderMode = 0700;
constexpr const char* kAllowed = "allowed";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string reason(int error) { return std::system_category().message(error); }

// One that is there stays as it is.
Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (mkdir(folder.c_str(), kFolderMode) == 0 || errno == EEXIST) return {};
  return fail(fmt::format("cannot make the folder {}: {}", folder.string(), reason(errno)));
}

// Who may write the folder may admit whom they like.
Result<void> check_folder(const fs::path& folder) {
  struct stat found {};
  if (stat(folder.c_str(), &found) != 0)
    return fail(fmt::format("cannot read the folder {}: {}", folder.string(), reason(errno)));
  if (!S_ISDIR(found.st_mode)) return fail(fmt::format("{} is not a folder", folder.string()));
  if (found.st_uid != geteuid() && found.st_uid != 0) {
    return fail(fmt::format("{} belongs to another user: keys must be this user's or root's",
                            folder.string()));
  }
  if ((found.st_mode & 0022) == 0) return {};
  return fail(fmt::format("{} may be written by others (mode {:04o}): chmod go-w {}",
                          folder.string(), found.st_mode & 07777, folder.string()));
}

Result<void> check_absent(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(path, ignored))) return {};
  return fail(fmt::format("{} is there already; keys are never overwritten", path.string()));
}

std::string file_name(std::string_view name, std::string_view kind) {
  return fmt::format("{}.{}", name, kind);
}

Result<void> admit(const fs::path& folder, PeerRole role, std::string_view name,
                   const std::string& public_key) {
  return write_public_key(allowed_folder(folder / kAllowed, role) / file_name(name, "public"),
                          public_key);
}

}  // namespace

fs::path allowed_folder(const fs::path& allowed, PeerRole role) {
  return allowed / fmt::format("{}s", name_of(role));
}

Result<ServerSecurity> load_server_keys(const fs::path& folder, std::string_view server) {
  auto keys = read_key_pair(folder, server);
  if (!keys) return tl::unexpected(keys.error());
  const fs::path allowed = folder / kAllowed;
  for (const fs::path& place : {folder, allowed, allowed_folder(allowed, PeerRole::kWorker),
                                allowed_folder(allowed, PeerRole::kClient)}) {
    if (auto checked = check_folder(place); !checked) return tl::unexpected(checked.error());
  }
  return ServerSecurity{.keys = *std::move(keys), .allowed = allowed};
}

Result<ClientSecurity> load_client_keys(const fs::path& folder, PeerRole role,
                                        std::string_view server) {
  auto keys = read_key_pair(folder, name_of(role));
  if (!keys) return tl::unexpected(keys.error());
  auto server_key = read_public_key(folder / file_name(server, "public"));
  if (!server_key) return tl::unexpected(server_key.error());
  return ClientSecurity{*std::move(server_key), *std::move(keys)};
}

bool is_key_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

Result<void> make_key_folder(const fs::path& folder) {
  const auto peers = {PeerRole::kWorker, PeerRole::kClient};
  const std::vector<std::string_view> names = {
      kCoordinatorKey, kCheckpointsKey, name_of(PeerRole::kWorker), name_of(PeerRole::kClient)};
  for (const std::string_view name : names) {
    for (const std::string_view kind : {"public", "secret"}) {
      if (auto absent = check_absent(folder / file_name(name, kind)); !absent) return absent;
    }
  }
  if (auto absent = check_absent(folder / kAllowed); !absent) return absent;
  for (const fs::path& place :
       {folder, folder / kAllowed, allowed_folder(folder / kAllowed, PeerRole::kWorker),
        allowed_folder(folder / kAllowed, PeerRole::kClient)}) {
    if (auto made = make_folder(place); !made) return made;
    if (auto checked = check_folder(place); !checked) return checked;
  }
  for (const std::string_view name : names) {
    const KeyPair pair = make_key_pair();
    if (auto written = write_key_pair(folder, name, pair); !written) return written;
    for (const PeerRole role : peers) {
      if (name != name_of(role)) continue;
      if (auto admitted = admit(folder, role, name, pair.public_key); !admitted) return admitted;
    }
  }
  return {};
}

Result<fs::path> add_key(const fs::path& folder, PeerRole role, const std::string& name) {
  if (!is_key_name(name)) {
    return fail(fmt::format(
        "'{}' cannot name a key: at most {} of A-Z a-z 0-9 . _ -, and first a letter or digit",
        name, kLongestName));
  }
  const fs::path allowed = allowed_folder(folder / kAllowed, role);
  const auto coordinator = read_public_key(folder / file_name(kCoordinatorKey, "public"));
  if (!coordinator) return tl::unexpected(coordinator.error());
  const auto checkpoints = read_public_key(folder / file_name(kCheckpointsKey, "public"));
  if (!checkpoints) return tl::unexpected(checkpoints.error());
  const fs::path own = folder / fmt::format("{}s", name_of(role)) / name;
  auto done = check_folder(allowed);
  if (done) done = check_absent(allowed / file_name(name, "public"));
  if (done) done = check_absent(own);
  if (done) done = make_folder(own.parent_path());
  if (done) done = make_folder(own);
  const KeyPair pair = make_key_pair();
  if (done) done = write_key_pair(own, name_of(role), pair);
  if (done) done = write_public_key(own / file_name(kCoordinatorKey, "public"), *coordinator);
  if (done && role == PeerRole::kWorker)
    done = write_public_key(own / file_name(kCheckpointsKey, "public"), *checkpoints);
  if (done) done = admit(folder, role, name, pair.public_key);  // last: it is complete then
  if (!done) return tl::unexpected(done.error());
  return own;
}

}  // namespace lrtune::wire
