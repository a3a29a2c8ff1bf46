#include "coordinator/store/store_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "coordinator/store/file_number.h"
#include "coordinator/store/log_check.h"
#include "coordinator/store/migrations.h"
#include "coordinator/store/row_checksum.h"
#include "coordinator/store/second_names.h"
#include "coordinator/store/sqlite_store.h"

namespace lrtune {
namespace {

constexpr int kBusyMillis = 5000;  // how long a commit waits for somebody's sqlite3 shell
// Each connection belongs to one thread; a mutex at every value read is 12 % of a restart.
constexpr int kOneThread = SQLITE_OPEN_NOMUTEX;
constexpr std::int64_t kFuse = 0x65735546;

struct FileSystem {
  std::int64_t magic;
  std::string_view name;
};

// From linux/magic.h and the file systems' own sources.
constexpr std::array<FileSystem, 13> kNetworkFileSystems = {{
    {0x6969, "NFS"},
    {0x517B, "SMB"},
    {0xFE534D42, "SMB"},
    {0xFF534D42, "CIFS"},
    {0x0BD00BD0, "Lustre"},
    {0x47504653, "GPFS"},
    {0x00C36400, "CephFS"},
    {0x19830326, "BeeGFS"},
    {0x20030528, "OrangeFS"},
    {0x5346414F, "AFS"},
    {0x73757245, "Coda"},
    {0x7461636F, "OCFS2"},
    {0x01161970, "GFS2"},
}};

constexpr std::array<FileSystem, 7> kNetworkFuse = {{
    {kFuse, "fuse.sshfs"},
    {kFuse, "fuse.glusterfs"},
    {kFuse, "fuse.ceph-fuse"},
    {kFuse, "fuse.s3fs"},
    {kFuse, "fuse.gcsfuse"},
    {kFuse, "fuse.rclone"},
    {kFuse, "fuse.juicefs"},
}};

// The type of the mount that a device number belongs to, "" if it is not listed. proc(5): field 3
// is MAJOR:MINOR, the type stands after a lone "-".
std::string mount_type(dev_t device) {
  const std::string wanted = fmt::format("{}:{}", major(device), minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string skipped, number, field;
    fields >> skipped >> skipped >> number;
    if (number != wanted) continue;
    while (fields >> field && field != "-") {
    }
    fields >> field;
    return field;
  }
  return {};
}

std::string folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? std::string(".") : folder.string();
}

Result<void> check_kind(SQLite::Database& database, const std::string& path) {
  if (store_kind(database) == StoreKind::kForeign) {
    return fail(fmt::format(
        "{} is a database of another program, no lrtune store; nothing was changed in it", path));
  }
  const int version = version_of(database);
  if (version > schema_version()) {
    return fail(fmt::format(
        "the store {} has schema {}, made by a newer lrtune; this one knows schemas up to {}", path,
        version, schema_version()));
  }
  return {};
}

void set_up(SQLite::Database& database, const std::string& path) {
  const std::string mode = database.execAndGet("PRAGMA journal_mode = WAL").getString();
  if (mode != "wal") {
    throw std::runtime_error(
        fmt::format("the file system under {} cannot keep a write-ahead log", path));
  }
  database.exec(
      "PRAGMA synchronous = FULL;"
      "PRAGMA foreign_keys = ON;"
      "PRAGMA trusted_schema = OFF;"
      "PRAGMA cache_size = -65536;"           // KiB
      "PRAGMA wal_autocheckpoint = 0;"        // SqliteStore does it, with empty_log()
      "PRAGMA journal_size_limit = 67108864"  // bytes that an idle write-ahead log keeps
  );
}

std::string no_database(const std::string& path) {
  return fmt::format("{} is no lrtune store (not an SQLite database)", path);
}

tl::unexpected<Error> cannot(std::string_view what, const std::string& path,
                             const SQLite::Exception& error) {
  if (error.getErrorCode() == SQLITE_NOTADB) return fail(no_database(path));
  return fail(fmt::format("cannot {} the store {}: {}", what, path, error.what()));
}

}  // namespace

std::optional<std::string_view> network_file_system(std::int64_t magic,
                                                    std::string_view fuse_type) {
  for (const FileSystem& system : kNetworkFileSystems) {
    if (system.magic == magic) return system.name;
  }
  for (const FileSystem& system : kNetworkFuse) {
    if (system.magic == magic && system.name == fuse_type) return system.name;
  }
  return std::nullopt;
}

Result<std::string> real_store_path(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the kernel's
  std::error_code error;
  std::filesystem::path real = std::filesystem::absolute(path, error);
  int links = 0;
  while (!error && std::filesystem::is_symlink(real, error)) {
    if (++links > kMostLinks) return fail(fmt::format("the link {} leads in a circle", path));
    // An absolute target takes the place of all before it.
    real = real.parent_path() / std::filesystem::read_symlink(real, error);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(fmt::format("cannot open the store {}: {}", path, error.message()));
  real = std::filesystem::weakly_canonical(real, error);
  if (error) return fail(fmt::format("cannot open the store {}: {}", path, error.message()));
  return real.string();
}

Result<void> check_folder(const std::string& folder) {
  struct statfs system {};
  struct stat entry {};
  if (statfs(folder.c_str(), &system) != 0 || stat(folder.c_str(), &entry) != 0) {
    return fail(
        fmt::format("cannot use the folder {} for a store: {}", folder, std::strerror(errno)));
  }
  const auto magic = static_cast<std::int64_t>(static_cast<std::uint32_t>(system.f_type));
  const std::string type = magic == kFuse ? mount_type(entry.st_dev) : std::string();
  if (const auto name = network_file_system(magic, type)) {
    return fail(fmt::format(
        "the store cannot lie in {}, which is on {}: SQLite's write-ahead log needs memory shared "
        "between "
        "processes, which a network file system does not give; choose a local disk with --store",
        folder, *name));
  }
  return {};
}

namespace {

// Opens nothing: this process may have the store open, and would lose its locks on a file that it
// closes (fcntl(2)); then an sqlite3 shell takes itself for the last one and removes the log.
Result<void> check_place(const std::string& path) {
  if (path.empty()) return fail("a store needs a file name, such as --store lrtune.db");
  if (auto folder = check_folder(folder_of(path)); !folder) return folder;
  std::error_code none;
  const std::filesystem::file_status status = std::filesystem::status(path, none);
  if (!std::filesystem::exists(status)) return {};
  if (std::filesystem::is_directory(status)) {
    return fail(fmt::format("{} is a folder; a store is a file, such as --store {}", path,
                            (std::filesystem::path(path) / "lrtune.db").string()));
  }
  if (!std::filesystem::is_regular_file(status)) {
    return fail(
        fmt::format("{} is no regular file; a store is one, such as --store lrtune.db", path));
  }
  return {};
}

}  // namespace

Result<void> check_store_file(const std::string& path) {
  if (auto place = check_place(path); !place) return place;
  // What another program has broken of the file may be in the log that is put back in its place.
  const auto real = real_store_path(path);
  if (!real) return tl::unexpected(real.error());
  if (file_number(second_name_of_log(*real)).exists()) return {};
  std::array<char, 16> head{};
  std::ifstream file(path, std::ios::binary);
  if (file.read(head.data(), head.size()) &&
      std::string_view(head.data(), 15) != "SQLite format 3") {
    return fail(no_database(path));
  }
  return {};
}

void write_page_one(SQLite::Database& database) {
  database.exec(fmt::format("PRAGMA user_version = {}", version_of(database)));
}

bool empty_log(SQLite::Database& database) {
  sqlite3_busy_timeout(database.getHandle(), 0);
  int frames = 0;
  int done = 0;
  const int rc = sqlite3_wal_checkpoint_v2(database.getHandle(), "main", SQLITE_CHECKPOINT_RESTART,
                                           &frames, &done);
  sqlite3_busy_timeout(database.getHandle(), kBusyMillis);
  if (rc == SQLITE_BUSY) return false;
  if (rc != SQLITE_OK) throw SQLite::Exception(database.getHandle(), rc);
  if (frames <= 0) return true;
  // The next commit starts the log anew, and this is it.
  SQLite::Transaction first(database, SQLite::TransactionBehavior::IMMEDIATE);
  write_page_one(database);
  first.commit();
  return true;
}

Result<std::unique_ptr<SQLite::Database>> open_for_writing(const std::string& path,
                                                           OpenLog log_at_open,
                                                           int& schema_before) {
  try {
    if (auto log = check_log(path); !log) return tl::unexpected(log.error());
    auto database = std::make_unique<SQLite::Database>(
        path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | kOneThread, kBusyMillis);
    if (auto kind = check_kind(*database, path); !kind) return tl::unexpected(kind.error());
    add_checksum_function(*database);
    set_up(*database, path);
    schema_before = version_of(*database);
    if (auto done = migrate(*database, path, all_migrations()); !done)
      return tl::unexpected(done.error());
    if (log_at_open == OpenLog::kEmptied) empty_log(*database);
    return database;
  } catch (const SQLite::Exception& error) {
    return cannot("open", path, error);
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot open the store {}: {}", path, error.what()));
  }
}

namespace {

// For a file name in an SQLite URI (https://sqlite.org/uri.html).
std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02X}", static_cast<unsigned>(c));
    } else {
      uri += c;
    }
  }
  return uri;
}

// SQLite opens lazily; the first look at the file shows whether it can be read.
std::unique_ptr<SQLite::Database> readable(const std::string& name) {
  auto database =
      std::make_unique<SQLite::Database>(name, SQLite::OPEN_READONLY | kOneThread, kBusyMillis);
  static_cast<void>(database->execAndGet("PRAGMA user_version"));
  return database;
}

bool is_link(const std::string& path) {
  std::error_code none;
  return std::filesystem::is_symlink(path, none);
}

bool has_open_log(const std::string& path) {
  std::error_code none;
  const auto size = std::filesystem::file_size(path + "-wal", none);
  return !none && size > 0;
}

std::unique_ptr<SQLite::Database> open_anywhere(const std::string& path) try {
  return readable(path);
} catch (const SQLite::Exception& error) {
  const int code = error.getErrorCode() & 0xff;  // without SQLite's finer distinctions
  if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY) throw;
  if (access(path.c_str(), R_OK) != 0) {
    throw std::runtime_error(std::strerror(errno));
  }
  if (has_open_log(path)) {
    throw std::runtime_error(fmt::format(
        "it is being written, or was not closed in order, and its folder cannot be written, which "
        "reading its log {}-wal needs; read a copy of both files elsewhere",
        path));
  }
  auto database = open_as_it_stands(path);
  static_cast<void>(database->execAndGet("PRAGMA user_version"));
  return database;
}

}  // namespace

std::unique_ptr<SQLite::Database> open_as_it_stands(const std::string& path) {
  return std::make_unique<SQLite::Database>(uri_of(path) + "?immutable=1",
                                            SQLite::OPEN_READONLY | kOneThread | SQLite::OPEN_URI);
}

Result<std::unique_ptr<SQLite::Database>> open_for_reading(const std::string& path) {
  auto database = open_any_schema(path);
  if (!database) return database;
  if (const int version = version_of(**database); version < schema_version()) {
    return fail(
        fmt::format("the store {} has schema {}; `lrtune store migrate` brings it to schema {}",
                    path, version, schema_version()));
  }
  return database;
}

Result<void> check_there(const std::string& path) {
  const FileNumber file = file_number(path);
  if (!file.exists()) {
    return fail(
        fmt::format("there is no store {}; `lrtune run` makes one, --store names another", path));
  }
  if (auto place = check_place(path); !place) return place;
  if (file.bytes > 0 || file_number(path + "-wal").bytes > 0 ||
      file_number(second_name_of_log(path)).bytes > 0)
    return {};
  return fail(fmt::format("{} is an empty file, no lrtune store", path));
}

Result<std::unique_ptr<SQLite::Database>> open_any_schema(const std::string& name) {
  if (name.empty()) return tl::unexpected(check_place(name).error());
  // People know it by the name that they gave; its log stands beside the file itself.
  const auto real = is_link(name) ? real_store_path(name) : Result<std::string>(name);
  if (!real) return tl::unexpected(real.error());
  const std::string& path = *real;
  if (auto there = check_there(path); !there) return tl::unexpected(there.error());
  if (const FileNumber file = file_number(path); file.names > 1) {
    return fail(fmt::format(
        "the store {} has {} names (hard links), and its log stands beside one of them, perhaps "
        "another one; read a copy: cp {} elsewhere",
        path, file.names, path));
  }
  if (auto log = check_log(path); !log) return tl::unexpected(log.error());
  try {
    auto database = open_anywhere(path);
    if (auto kind = check_kind(*database, path); !kind) return tl::unexpected(kind.error());
    add_checksum_function(*database);
    return database;
  } catch (const SQLite::Exception& error) {
    return cannot("read", path, error);
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot read the store {}: {}", path, error.what()));
  }
}

}  // namespace lrtune
