// What a write-ahead log says (https://sqlite.org/fileformat2.html#walformat), read frame by frame
// without SQLite. Private to coordinator/store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lrtune {

// Of a version of the store's first page: https://sqlite.org/fileformat2.html#the_database_header.
struct PageOneStamp {
  std::uint32_t change = 0;  // file change counter
  std::uint32_t schema = 0;  // schema cookie
};

PageOneStamp stamp_of(const unsigned char* page_one);  // its first 44 bytes

struct LogScan {
  std::array<unsigned char, 32> header{};
  std::string damage;  // as check_log() means it; "": none
  std::size_t page_size = 0;
  // What follows is of the frames up to the end of the last commit that can be read.
  std::int64_t frames = 0;
  std::array<std::uint32_t, 2> checksum{};  // of the last of them
  std::int64_t commits = 0;
  std::int64_t frames_before = 0;  // as frames and checksum, without the last commit
  std::array<std::uint32_t, 2> checksum_before{};
  // By number from 1: the byte where the newest version of the page begins.
  std::map<std::uint32_t, std::int64_t> pages;
  std::vector<PageOneStamp> stamps;   // of the first page's versions, in their order
  bool begins_with_page_one = false;  // that is in the first commit
};

// Nothing of a file that is not there, or has no frame. Takes memory for the pages' numbers, not
// for the pages. Throws std::runtime_error if it cannot be read.
LogScan scan_log(const std::string& file);

}  // namespace lrtune
