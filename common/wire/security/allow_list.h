// The public keys that are admitted, by role: the files NAME.public in two folders, followed while
// they change. A file that appears admits its key, one that goes revokes it.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "common/wire/security/peer_role.h"

namespace lrtune::wire {

using AdmittedKeys = std::unordered_map<std::string, AdmittedPeer>;  // by public key, Z85

class AllowList {
 public:
  using Log = std::function<void(const std::string&)>;

  // Reads it. `log` gets a line for each key that is admitted or revoked later, and for each file
  // that is none.
  AllowList(const std::filesystem::path& allowed, Log log);

  // Reads what has changed. What cannot be read is not admitted: a folder that is gone revokes all
  // of its keys. Only a file that has not changed since it was read stays admitted when the process
  // has no descriptor left to read it. One thread.
  void refresh();

  // What is admitted now. Never null; any thread.
  std::shared_ptr<const AdmittedKeys> keys() const;

  // Becomes readable when a file has come, gone or changed, where the file system tells (local
  // disks; network file systems do not tell of other machines' changes). -1: nothing tells.
  int descriptor() const { return inotify_; }
  void take_notices() const;

  ~AllowList();
  AllowList(const AllowList&) = delete;
  AllowList& operator=(const AllowList&) = delete;

 private:
  // What decides whether a file must be read again.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct KeyFile {
    Stamp stamp;
    std::string key;  // empty: it is none, as has been said
  };
  struct Folder {
    PeerRole role = PeerRole::kWorker;
    std::filesystem::path path;
    DIR* stream = nullptr;  // kept open, so that looking needs no descriptor
    int watch = -1;
    std::map<std::string, KeyFile> files;  // by name without .public
  };

  static Stamp stamp_of(const struct stat& found);
  bool reopen(Folder& folder);
  void close(Folder& folder);
  void read(Folder& folder);
  KeyFile read_file(const Folder& folder, const std::string& name, const struct stat& found,
                    const KeyFile* before);
  AdmittedKeys merged();
  void tell_changes(const AdmittedKeys& before, const AdmittedKeys& after);

  Log log_;
  int inotify_ = -1;
  std::array<Folder, 2> folders_;
  std::map<std::string, std::string> said_;  // trouble by its place, so that it is said once
  mutable std::mutex mutex_;                 // of the next
  std::shared_ptr<const AdmittedKeys> keys_ = std::make_shared<const AdmittedKeys>();
};

}  // namespace lrtune::wire
