#include "coordinator/store/log_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <vector>

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
  bool ends_commit() const { return big_endian(at + 4) != 0; }
};

// What is wrong with the log, "" if nothing.
class Log {
 public:
  explicit Log(const Bytes& bytes) : bytes_(bytes) {}

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

}  // namespace

Result<void> check_log(const std::string& path) {
  const std::string log = path + "-wal";
  std::error_code none;
  if (std::filesystem::is_directory(log, none))
    return fail(fmt::format("{} is a folder, where the store's write-ahead log belongs", log));
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
