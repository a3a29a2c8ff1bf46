#include "coordinator/store/log_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace lrtune {
namespace {

constexpr std::size_t kHeaderSize = 32;
constexpr std::size_t kFrameHeaderSize = 24;
constexpr std::uint32_t kMagic = 0x377f0682;  // with 1 added: checksums over big-endian words
constexpr std::uint32_t kVersion = 3007000;
constexpr std::size_t kMostPage = 65536;

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
  std::array<std::uint32_t, 2> value() const { return {first_, second_}; }
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

class Scanner {
 public:
  explicit Scanner(const std::string& name) : file_(name, std::ios::binary), name_(name) {
    if (!file_) throw std::runtime_error(fmt::format("{}: {}", name, std::strerror(errno)));
  }

  LogScan scan() {
    if (!read(scan_.header.data(), kHeaderSize)) return std::move(scan_);
    frame_.resize(kFrameHeaderSize);
    if (!read_header()) {
      // Without a byte behind it, it is what a crash left of the first commit.
      if (read(frame_.data(), 1)) scan_.damage = "its header does not fit its checksum";
      return std::move(scan_);
    }
    frame_.resize(kFrameHeaderSize + scan_.page_size);
    std::int64_t good = 0;
    std::int64_t all = 0;
    std::int64_t commits_behind = 0;
    for (; read(frame_.data(), frame_.size()); ++all) {
      const Frame frame{frame_.data()};
      if (good == all && fits(frame)) {
        take(frame, good++);
      } else if (is_of_this_log(frame) && frame.ends_commit()) {
        ++commits_behind;
      }
    }
    if (commits_behind >= 2) {
      scan_.damage =
          fmt::format("its frame {} of {} does not fit its checksum, and {} commits stand behind",
                      good + 1, all, commits_behind - 1);
    }
    return std::move(scan_);
  }

 private:
  bool read(unsigned char* into, std::size_t size) {
    file_.read(reinterpret_cast<char*>(into), static_cast<std::streamsize>(size));
    if (file_.bad()) throw std::runtime_error(fmt::format("{} cannot be read", name_));
    return static_cast<std::size_t>(file_.gcount()) == size;
  }

  bool read_header() {
    const unsigned char* const header = scan_.header.data();
    const std::uint32_t magic = big_endian(header);
    scan_.page_size = big_endian(header + 8);
    if ((magic & ~1U) != kMagic || big_endian(header + 4) != kVersion) return false;
    checksum_.is_big = (magic & 1U) != 0;
    checksum_.add(header, kHeaderSize - 8);
    return checksum_.fits(header + kHeaderSize - 8) && scan_.page_size >= 512 &&
           scan_.page_size <= kMostPage;
  }
  const unsigned char* salts() const { return scan_.header.data() + 16; }
  // When a log starts anew, one salt grows and the other is drawn, so a frame from before has none
  // of the two; one that was hit in one salt has the other.
  bool is_of_this_log(Frame frame) const {
    return std::equal(frame.salts(), frame.salts() + 4, salts()) ||
           std::equal(frame.salts() + 4, frame.salts() + 8, salts() + 4);
  }
  bool fits(Frame frame) {
    if (!std::equal(frame.salts(), frame.salts() + 8, salts())) return false;
    checksum_.add(frame.at, 8);
    checksum_.add(frame.page(), scan_.page_size);
    return checksum_.fits(frame.at + 16);
  }

  void take(Frame frame, std::int64_t index) {
    const auto frame_size = static_cast<std::int64_t>(frame_.size());
    open_pages_[frame.page_number()] = static_cast<std::int64_t>(kHeaderSize) + index * frame_size +
                                       static_cast<std::int64_t>(kFrameHeaderSize);
    if (frame.page_number() == 1) open_stamps_.push_back(stamp_of(frame.page()));
    if (!frame.ends_commit()) return;
    if (scan_.frames == 0) scan_.begins_with_page_one = !open_stamps_.empty();
    for (const auto& [number, place] : open_pages_) scan_.pages[number] = place;
    scan_.pages.erase(scan_.pages.upper_bound(frame.pages_of_store()), scan_.pages.end());
    scan_.stamps.insert(scan_.stamps.end(), open_stamps_.begin(), open_stamps_.end());
    open_pages_.clear();
    open_stamps_.clear();
    scan_.frames_before = std::exchange(scan_.frames, index + 1);
    scan_.checksum_before = std::exchange(scan_.checksum, checksum_.value());
    ++scan_.commits;
  }

  std::ifstream file_;
  std::string name_;
  LogScan scan_;
  std::vector<unsigned char> frame_;
  LogChecksum checksum_;
  // Of the commit under way.
  std::map<std::uint32_t, std::int64_t> open_pages_;
  std::vector<PageOneStamp> open_stamps_;
};

}  // namespace

PageOneStamp stamp_of(const unsigned char* page_one) {
  return {big_endian(page_one + 24), big_endian(page_one + 40)};
}

LogScan scan_log(const std::string& file) {
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return {};
  return Scanner(file).scan();
}

}  // namespace lrtune
