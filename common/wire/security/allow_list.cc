#include "common/wire/security/allow_list.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/wire/security/key_files.h"
#include "common/wire/security/key_folder.h"

namespace lrtune::wire {
namespace {

constexpr std::string_view kEnding = ".public";
// Not IN_CREATE: a file that is just being written would be read half.
constexpr std::uint32_t kNotices = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                   IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

std::string described(const AdmittedPeer& peer) {
  return fmt::format("{} '{}'", name_of(peer.role), peer.name);
}

}  // namespace

AllowList::AllowList(const std::filesystem::path& allowed, Log log)
    : log_(std::move(log)), inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  folders_[0].role = PeerRole::kWorker;
  folders_[1].role = PeerRole::kClient;
  for (Folder& folder : folders_) {
    folder.path = allowed_folder(allowed, folder.role);
    read(folder);
  }
  keys_ = std::make_shared<const AdmittedKeys>(merged());
}

AllowList::~AllowList() {
  for (Folder& folder : folders_) close(folder);
  if (inotify_ >= 0) ::close(inotify_);
}

std::shared_ptr<const AdmittedKeys> AllowList::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void AllowList::take_notices() const {
  alignas(inotify_event) char buffer[4096];
  while (::read(inotify_, buffer, sizeof buffer) > 0) {
  }
}

void AllowList::refresh() {
  for (Folder& folder : folders_) read(folder);
  auto fresh = std::make_shared<const AdmittedKeys>(merged());
  const auto before = keys();
  if (*fresh == *before) return;
  {
    const std::lock_guard lock(mutex_);
    keys_ = fresh;
  }
  tell_changes(*before, *fresh);
}

AllowList::Stamp AllowList::stamp_of(const struct stat& found) {
  constexpr std::int64_t kNsOfSecond = 1'000'000'000;
  return {found.st_dev, found.st_ino, found.st_size,
          found.st_ctim.tv_sec * kNsOfSecond + found.st_ctim.tv_nsec};
}

void AllowList::close(Folder& folder) {
  if (folder.stream != nullptr) closedir(folder.stream);
  if (folder.watch >= 0) inotify_rm_watch(inotify_, folder.watch);
  folder.stream = nullptr;
  folder.watch = -1;
}

// False: it is not there. Another folder may have taken its place.
bool AllowList::reopen(Folder& folder) {
  struct stat there {};
  struct stat held {};
  const bool is_there = stat(folder.path.c_str(), &there) == 0;
  if (folder.stream != nullptr && is_there && fstat(dirfd(folder.stream), &held) == 0 &&
      there.st_dev == held.st_dev && there.st_ino == held.st_ino) {
    rewinddir(folder.stream);
    return true;
  }
  close(folder);
  if (is_there) folder.stream = opendir(folder.path.c_str());
  if (folder.stream == nullptr) return false;
  folder.watch = inotify_add_watch(inotify_, folder.path.c_str(), kNotices);
  return true;
}

void AllowList::read(Folder& folder) {
  auto before = std::exchange(folder.files, {});
  if (!reopen(folder)) {
    const std::string text = fmt::format("nobody is admitted as a {}: cannot read {}",
                                         name_of(folder.role), folder.path.string());
    if (std::exchange(said_[folder.path.string()], text) != text) log_(text);
    return;
  }
  said_.erase(folder.path.string());
  while (const dirent* entry = readdir(folder.stream)) {
    const std::string_view file = entry->d_name;
    if (!file.ends_with(kEnding)) continue;
    const std::string name(file.substr(0, file.size() - kEnding.size()));
    struct stat found {};
    if (fstatat(dirfd(folder.stream), entry->d_name, &found, 0) != 0) continue;  // just gone
    const auto known = before.find(name);
    folder.files[name] =
        read_file(folder, name, found, known == before.end() ? nullptr : &known->second);
  }
}

AllowList::KeyFile AllowList::read_file(const Folder& folder, const std::string& name,
                                        const struct stat& found, const KeyFile* before) {
  const Stamp stamp = stamp_of(found);
  if (before != nullptr && before->stamp == stamp && !before->key.empty()) return *before;
  const auto path = folder.path / (name + std::string(kEnding));
  auto key = is_key_name(name)
                 ? read_public_key(path)
                 : Result<std::string>(fail(fmt::format(
                       "a file of {} has a name that cannot name a key", folder.path.string())));
  if (key) {
    said_.erase(path.string());
    return {stamp, *std::move(key)};
  }
  const std::string text = "not admitted: " + key.error().message;
  if (std::exchange(said_[path.string()], text) != text) log_(text);
  return {stamp, {}};
}

// A key that stands in both roles' folders is admitted in neither role: which one was meant nobody
// knows, and each is a way around the other's limits.
AdmittedKeys AllowList::merged() {
  AdmittedKeys keys;
  for (const auto& [name, file] : folders_[0].files) {
    if (!file.key.empty()) keys.try_emplace(file.key, AdmittedPeer{folders_[0].role, name});
  }
  for (const auto& [name, file] : folders_[1].files) {
    if (file.key.empty()) continue;
    const auto [place, added] = keys.try_emplace(file.key, AdmittedPeer{folders_[1].role, name});
    if (added || place->second.role == folders_[1].role) continue;
    const std::string text =
        fmt::format("not admitted: the key of client '{}' is that of worker '{}' as well", name,
                    place->second.name);
    if (std::exchange(said_["both " + name], text) != text) log_(text);
    place->second.role = PeerRole::kUnauthenticated;
  }
  std::erase_if(keys,
                [](const auto& entry) { return entry.second.role == PeerRole::kUnauthenticated; });
  return keys;
}

void AllowList::tell_changes(const AdmittedKeys& before, const AdmittedKeys& after) {
  for (const auto& [key, peer] : before) {
    const auto found = after.find(key);
    if (found == after.end() || found->second != peer)
      log_(fmt::format("the key of {} is revoked", described(peer)));
  }
  for (const auto& [key, peer] : after) {
    const auto found = before.find(key);
    if (found == before.end() || found->second != peer)
      log_(fmt::format("the key of {} is admitted", described(peer)));
  }
}

}  // namespace lrtune::wire
