#include "coordinator/store/log_check.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "coordinator/store/file_number.h"
#include "coordinator/store/log_scan.h"
#include "coordinator/store/second_names.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

constexpr int kTries = 5;  // while a writer starts the log anew

using Bytes = std::vector<unsigned char>;

std::string first_name(const std::string& path) { return path + "-wal"; }

// The store's file as it stands, without its log.
class StoreBytes {
 public:
  explicit StoreBytes(const std::string& path) : database_(open_as_it_stands(path)) {
    if (sqlite3_file_control(database_->getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file_) !=
        SQLITE_OK)
      file_ = nullptr;
  }
  // False: the file ends before.
  bool read(std::int64_t at, Bytes& into) {
    return file_ != nullptr &&
           file_->pMethods->xRead(file_, into.data(), static_cast<int>(into.size()), at) ==
               SQLITE_OK;
  }

 private:
  std::unique_ptr<SQLite::Database> database_;
  sqlite3_file* file_ = nullptr;
};

// Whether the store's file has all that the log would write into it.
bool is_saved(const LogScan& log, const std::string& file, StoreBytes& store) {
  std::ifstream frames(file, std::ios::binary);
  Bytes logged(log.page_size), stored(log.page_size);
  return std::ranges::all_of(log.pages, [&](const auto& page) {
    frames.seekg(page.second);
    frames.read(reinterpret_cast<char*>(logged.data()), std::ssize(logged));
    if (!frames) throw std::runtime_error(fmt::format("{} cannot be read", file));
    const auto place = static_cast<std::int64_t>(page.first - 1) * std::ssize(stored);
    return store.read(place, stored) && stored == logged;
  });
}

bool is_database(const Bytes& head) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  return std::equal(kMagic.begin(), kMagic.end(), head.begin());
}

// Whether the log was begun on this file, which may have some of it by now. Each log begins with a
// new version of the first page (write_page_one()), which counts one further than the file's. A
// copy that VACUUM made, as a backup is, has a higher schema cookie, and a log may only raise it.
bool belongs(const LogScan& log, StoreBytes& store) {
  Bytes head(100);
  if (!log.begins_with_page_one || log.stamps.empty() || !store.read(0, head)) return false;
  // What is no database any more was broken by somebody's checkpoint: the log has its first page.
  if (!is_database(head)) return true;
  const PageOneStamp here = stamp_of(head.data());
  const PageOneStamp first = log.stamps.front();
  if (here.schema <= first.schema && here.change + 1 == first.change) return true;
  return std::ranges::any_of(log.stamps, [&](const PageOneStamp& stamp) {
    return stamp.schema == here.schema && stamp.change == here.change;
  });
}

bool begins_with(const std::string& file, const std::string& beginning) {
  std::ifstream whole(file, std::ios::binary), part(beginning, std::ios::binary);
  std::array<char, 65536> a{}, b{};
  while (part.read(b.data(), b.size()) || part.gcount() > 0) {
    whole.read(a.data(), part.gcount());
    if (whole.gcount() != part.gcount() ||
        !std::equal(b.data(), b.data() + part.gcount(), a.data()))
      return false;
  }
  return part.eof();
}

// What is to be done about a second name that leads to another file than the first.
enum class SecondLog : std::uint8_t {
  kNone,     // nothing: it is the first, or it has nothing that the store has not
  kIsBegun,  // the first one goes on where it ends
  kMissed,   // it has what the store has not, and belongs to it
  kForeign,  // it belongs to another file
};

SecondLog judge_second(const std::string& path) {
  const std::string second = second_name_of_log(path);
  const FileNumber named_second = file_number(second);
  const FileNumber named_first = file_number(first_name(path));
  // Of a store that was removed, nothing is missed.
  const bool is_there = file_number(path).bytes > 0;
  if (!named_second.exists() || named_second == named_first || !is_there) return SecondLog::kNone;
  const LogScan log = scan_log(second);
  // An orderly close takes the second name away before the log.
  if (!(file_number(second) == named_second)) return SecondLog::kNone;
  StoreBytes store(path);
  // One that is damaged goes where check_log() says so.
  if (!log.damage.empty() && named_first.bytes == 0) return SecondLog::kMissed;
  if (is_saved(log, second, store)) return SecondLog::kNone;
  if (named_first.bytes > 0 && begins_with(first_name(path), second)) return SecondLog::kIsBegun;
  return belongs(log, store) ? SecondLog::kMissed : SecondLog::kForeign;
}

void move_aside(const std::string& file) { std::filesystem::rename(file, file + ".aside"); }

// What SQLite writes at the beginning of an index, twice, in the machine's order (walIndexHdr;
// https://sqlite.org/walformat.html#the_wal_index_file_format).
struct Index {
  std::uint32_t version, unused, change;
  std::uint8_t initialised, big_endian_checksums;
  std::uint16_t page_size;
  std::uint32_t frames, pages;
  std::array<std::uint32_t, 2> frame_checksum, salts, checksum;
};
static_assert(sizeof(Index) == 48);

std::optional<Index> read_index(const std::string& file) {
  std::array<char, 2 * sizeof(Index)> bytes{};
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(bytes.data(), bytes.size())) return std::nullopt;
  if (std::memcmp(bytes.data(), bytes.data() + sizeof(Index), sizeof(Index)) != 0)
    return std::nullopt;
  Index index{};
  std::memcpy(&index, bytes.data(), sizeof index);
  return index;
}

// SQLite keeps the salts in the header's bytes, first the one that it counts up.
std::uint32_t first_salt(const unsigned char* salts) {
  return static_cast<std::uint32_t>(salts[0]) << 24U | static_cast<std::uint32_t>(salts[1]) << 16U |
         static_cast<std::uint32_t>(salts[2]) << 8U | salts[3];
}

bool describes(const Index& index, const LogScan& log, bool exactly) {
  const unsigned char* const log_salts = log.header.data() + 16;
  const auto* const salts = reinterpret_cast<const unsigned char*>(index.salts.data());
  const bool same_log = std::equal(salts, salts + 8, log_salts);
  const auto ends_at = [&](std::int64_t frames, const std::array<std::uint32_t, 2>& checksum) {
    return index.frames == frames &&
           (frames == 0 || (same_log && index.frame_checksum == checksum));
  };
  if (ends_at(log.frames, log.checksum)) return true;
  if (exactly) return false;
  // The crash came between a commit's last frame and its place in the index.
  if (log.commits > 0 && same_log && ends_at(log.frames_before, log.checksum_before)) return true;
  // A checkpoint has saved all of the log, and the next commit is to begin it anew.
  return index.frames == 0 && first_salt(salts) == first_salt(log_salts) + 1;
}

Result<void> check_is_file(const std::string& log) {
  std::error_code none;
  if (!std::filesystem::is_directory(log, none)) return {};
  return fail(fmt::format("{} is a folder, where the store's write-ahead log belongs", log));
}

}  // namespace

namespace {

tl::unexpected<Error> fits_no_more(const std::string& path) {
  return fail(fmt::format(
      "the write-ahead log {} has commits that the store {} has not, and does not fit it: another "
      "file was put in the store's place, or another program wrote it after a crash, before a "
      "coordinator was started. Nothing was changed. To have the commits, put the file back that "
      "they belong to; to go on without them, move the log away",
      second_name_of_log(path), path));
}

}  // namespace

Result<void> check_log(const std::string& path) try {
  const std::string log = first_name(path);
  if (auto file = check_is_file(log); !file) return file;
  const SecondLog second = judge_second(path);
  if (second == SecondLog::kForeign) return fits_no_more(path);
  if (second == SecondLog::kMissed) {
    return fail(fmt::format(
        "the write-ahead log {} was removed or replaced, with commits that the store {} has not. "
        "They are still in {}: a coordinator puts it back in its place, one that runs within a "
        "second, another one when it starts, as `lrtune store migrate` does",
        log, path, second_name_of_log(path)));
  }
  std::string damage;
  for (int i = 0; i < kTries; ++i) {
    const LogScan scan = scan_log(log);
    damage = scan.damage;
    if (damage.empty()) return {};
    if (scan_log(log).header == scan.header && i > 0) break;  // seen twice
  }
  return fail(fmt::format(
      "the write-ahead log {} is damaged: {}. Opening the store would lose them without a word. "
      "Take a backup's place, or, to go on without them, run: sqlite3 {} 'PRAGMA "
      "wal_checkpoint(TRUNCATE)'",
      log, damage, path));
} catch (const std::exception& error) {
  return fail(fmt::format("cannot read the store {}: {}", path, error.what()));
}

namespace {

// SQLite would write the pages of any log that stands there into the store. One with a lower schema
// cookie is older than the file.
Result<void> check_first(const std::string& path) {
  const std::string first = first_name(path);
  if (auto file = check_is_file(first); !file) return file;
  const LogScan log = scan_log(first);
  if (!log.begins_with_page_one || file_number(path).bytes == 0) return {};
  Bytes head(100);
  if (!StoreBytes(path).read(0, head) || !is_database(head)) return {};
  if (stamp_of(head.data()).schema <= log.stamps.back().schema) return {};
  return fail(fmt::format(
      "the write-ahead log {0} is not of the store {1}, in whose place another file was put; move "
      "{0} away, or put the file back that it belongs to",
      first, path));
}

}  // namespace

Result<std::string> put_log_in_place(const std::string& path) try {
  const std::string first = first_name(path);
  const std::string second = second_name_of_log(path);
  switch (judge_second(path)) {
    case SecondLog::kNone:
    case SecondLog::kIsBegun:
      return check_first(path).map([] { return std::string(); });
    case SecondLog::kForeign:
      return fits_no_more(path);
    case SecondLog::kMissed:
      break;
  }
  std::string done = fmt::format("{} had been removed; it has its name again", first);
  if (file_number(first).bytes > 0) {
    move_aside(first);
    done = fmt::format("{0} had been replaced by another one, which is {0}.aside now", first);
  }
  if (!give_name(second, first)) {
    return fail(fmt::format("{} cannot be named {}, where the store {} needs it: {}", second, first,
                            path, std::strerror(errno)));
  }
  return done;
} catch (const std::exception& error) {
  return fail(
      fmt::format("cannot put the log of the store {} in its place: {}", path, error.what()));
}

void drop_wrong_index(const std::string& path, bool put_back) {
  const std::string file = path + "-shm";
  if (!file_number(file).exists()) return;
  const std::optional<Index> index = read_index(file);
  if (index && describes(*index, scan_log(first_name(path)), put_back)) return;
  std::error_code none;
  std::filesystem::remove(file, none);
}

}  // namespace lrtune
