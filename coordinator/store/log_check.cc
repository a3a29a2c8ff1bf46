#include "coordinator/store/log_check.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "coordinator/store/file_number.h"
#include "coordinator/store/second_names.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

constexpr std::size_t kHeaderSize = 32;
constexpr std::size_t kFrameHeaderSize = 24;
constexpr std::uint32_t kMagic = 0x377f0682;  // with 1 added: checksums over big-endian words
constexpr std::uint32_t kVersion = 3007000;
constexpr int kTries = 5;  // while a writer starts the log anew

using Bytes = std::vector<unsigned char>;

std::uint32_t big_endian(const unsigned char* at) {
  return static_cast<std::uint32_t>(at[0]) << 24U | static_cast<std::uint32_t>(at[1]) << 16U |
         static_cast<std::uint32_t>(at[2]) << 8U | at[3];
}
std::uint32_t little_endian(const unsigned char* at) {
  return static_cast<std::uint32_t>(at[3]) << 24U | static_cast<std::uint32_t>(at[2]) << 16U |
         static_cast<std::uint32_t>(at[1]) << 8U | at[0];
}

// SQLite's running checksum of a log.
class LogChecksum {
 public:
  void add(const unsigned char* bytes, std::size_t size) {
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
      const auto word = is_big ? big_endian : little_endian;
      first_ += word(bytes + i) + second_;
      second_ += word(bytes + i + 4) + first_;
    }
  }
  bool fits(const unsigned char* kept) const {
    return first_ == big_endian(kept) && second_ == big_endian(kept + 4);
  }
  bool is_big = false;

 private:
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

struct Frame {
  const unsigned char* at;
  const unsigned char* salts() const { return at + 8; }
  const unsigned char* page() const { return at + kFrameHeaderSize; }
  std::uint32_t page_number() const { return big_endian(at); }
  std::uint32_t pages_of_store() const {
    return big_endian(at + 4);
  }  // 0: not the last of a commit
  bool ends_commit() const { return pages_of_store() != 0; }
};

// Reads one log once: call one function of one object.
class Log {
 public:
  explicit Log(const Bytes& bytes) : bytes_(bytes) {}

  // The pages that its commits leave in the store, by their number from 1. They live as long as
  // the bytes.
  std::map<std::uint32_t, const unsigned char*> pages() {
    std::map<std::uint32_t, const unsigned char*> committed, open;
    if (bytes_.size() <= kHeaderSize || !read_header()) return committed;
    for (std::size_t i = 0; i < frames() && fits(frame(i)); ++i) {
      open[frame(i).page_number()] = frame(i).page();
      if (!frame(i).ends_commit()) continue;
      for (const auto& [number, page] : open) committed[number] = page;
      open.clear();
      committed.erase(committed.upper_bound(frame(i).pages_of_store()), committed.end());
    }
    return committed;
  }
  std::size_t page_size() const { return page_size_; }

  // What is wrong with it, "" if nothing.
  std::string damage() {
    if (bytes_.size() <= kHeaderSize) return {};
    if (!read_header()) return "its header does not fit its checksum";
    std::size_t good = 0;
    while (good < frames() && fits(frame(good))) ++good;
    std::size_t commits = 0;
    for (std::size_t i = good; i < frames(); ++i) {
      if (is_of_this_log(frame(i)) && frame(i).ends_commit()) ++commits;
    }
    if (commits < 2) return {};
    return fmt::format("its frame {} of {} does not fit its checksum, and {} commits stand behind",
                       good + 1, frames(), commits - 1);
  }

 private:
  bool read_header() {
    const std::uint32_t magic = big_endian(bytes_.data());
    page_size_ = big_endian(bytes_.data() + 8);
    if ((magic & ~1U) != kMagic || big_endian(bytes_.data() + 4) != kVersion) return false;
    checksum_.is_big = (magic & 1U) != 0;
    checksum_.add(bytes_.data(), kHeaderSize - 8);
    return checksum_.fits(bytes_.data() + kHeaderSize - 8) && page_size_ >= 512;
  }
  std::size_t frames() const {
    return (bytes_.size() - kHeaderSize) / (kFrameHeaderSize + page_size_);
  }
  Frame frame(std::size_t number) const {
    return {bytes_.data() + kHeaderSize + number * (kFrameHeaderSize + page_size_)};
  }
  const unsigned char* salts() const { return bytes_.data() + 16; }
  bool has_salts(Frame frame) const {
    return std::equal(frame.salts(), frame.salts() + 8, salts());
  }
  // When a log starts anew, one salt grows and the other is drawn, so a frame from before has none
  // of the two; one that was hit in one salt has the other.
  bool is_of_this_log(Frame frame) const {
    return std::equal(frame.salts(), frame.salts() + 4, salts()) ||
           std::equal(frame.salts() + 4, frame.salts() + 8, salts() + 4);
  }
  bool fits(Frame frame) {
    if (!has_salts(frame)) return false;
    checksum_.add(frame.at, 8);
    checksum_.add(frame.at + kFrameHeaderSize, page_size_);
    return checksum_.fits(frame.at + 16);
  }

  const Bytes& bytes_;
  std::size_t page_size_ = 0;
  LogChecksum checksum_;
};

Bytes read(const std::string& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  Bytes bytes(std::min(most, static_cast<std::size_t>(file.tellg())));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

// Whether the store's file has all that the log would write into it.
bool is_saved(const Bytes& bytes, const std::string& path) {
  Log log(bytes);
  const auto pages = log.pages();
  if (pages.empty()) return true;
  // Immutable: without a look at any log.
  const auto store = open_as_it_stands(path);
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(store->getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
      SQLITE_OK)
    return false;
  Bytes stored(log.page_size());
  return std::ranges::all_of(pages, [&](const auto& page) {
    const auto place =
        static_cast<sqlite3_int64>(page.first - 1) * static_cast<sqlite3_int64>(log.page_size());
    return file->pMethods->xRead(file, stored.data(), static_cast<int>(stored.size()), place) ==
               SQLITE_OK &&
           std::equal(stored.begin(), stored.end(), page.second);
  });
}

// Of a store that was removed, nothing is missed.
bool is_there(const std::string& path) { return file_number(path).bytes > 0; }

Result<void> check_second_name(const std::string& path) {
  const std::string first = path + "-wal";
  const std::string second = second_name_of_log(path);
  const FileNumber named_second = file_number(second);
  const FileNumber named_first = file_number(first);
  if (!named_second.exists() || named_second == named_first || !is_there(path)) return {};
  const Bytes bytes = read(second, SIZE_MAX);
  // An orderly close takes the second name away before the log.
  if (!(file_number(second) == named_second) || is_saved(bytes, path)) return {};
  if (named_first.bytes == 0) {
    return fail(fmt::format(
        "the write-ahead log {0} was removed, with commits that the store {1} has not. They are "
        "still in {2}: to take them back, run: mv {2} {0}. To go on without them, remove {2}. (A "
        "coordinator that has the store open puts it back within a second.)",
        first, path, second));
  }
  if (read(first, SIZE_MAX) == bytes) return {};
  return fail(fmt::format(
      "the store {} has two write-ahead logs, {} and {}, and the second has commits that the store "
      "has not. Keep a copy of all three, then remove the second, or move it over the first, "
      "whichever `lrtune store check` finds in order",
      path, first, second));
}

}  // namespace

Result<void> check_log(const std::string& path) {
  const std::string log = path + "-wal";
  std::error_code none;
  if (std::filesystem::is_directory(log, none))
    return fail(fmt::format("{} is a folder, where the store's write-ahead log belongs", log));
  try {
    if (auto second = check_second_name(path); !second) return second;
  } catch (const SQLite::Exception& error) {
    return fail(fmt::format("cannot read the store {}: {}", path, error.what()));
  }
  std::string damage;
  for (int i = 0; i < kTries; ++i) {
    const Bytes bytes = read(log, SIZE_MAX);
    damage = Log(bytes).damage();
    if (damage.empty()) return {};
    const Bytes header = read(log, kHeaderSize);
    const bool same =
        header.size() == kHeaderSize && std::equal(header.begin(), header.end(), bytes.begin());
    if (same && i > 0) break;  // seen twice
  }
  return fail(fmt::format(
      "the write-ahead log {} is damaged: {}. Opening the store would lose them without a word. "
      "Take a backup's place, or, to go on without them, run: sqlite3 {} 'PRAGMA "
      "wal_checkpoint(TRUNCATE)'",
      log, damage, path));
}

}  // namespace lrtune
