// System calls on the files of this folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"

namespace lrtune {

inline constexpr std::string_view kCheckpointEnding = ".checkpoint";
inline constexpr std::string_view kUnfinishedEnding = ".unfinished";  // being written
inline constexpr std::string_view kArrivingEnding = ".arriving";      // of arriving_checkpoint.h

// Closes a descriptor when it goes.
class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, int flags);  // false as a bool: errno says why
  OpenFile(OpenFile&& other) noexcept : number_(other.release()) {}
  ~OpenFile();

  explicit operator bool() const { return number_ >= 0; }
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

// "cannot WHAT PATH: ", and what errno says.
tl::unexpected<Error> failed_call(std::string_view what, const std::filesystem::path& path);

// False: errno says why.
bool write_all(int file, std::string_view bytes, std::int64_t offset);
bool sync_folder(const std::filesystem::path& folder);

// Fills `bytes`, or cuts them where the file ends.
bool read_all(int file, std::string& bytes, std::int64_t offset);

// A name beside `file` that no other writing has, also among processes.
std::filesystem::path name_of_its_own(const std::filesystem::path& file, std::string_view ending);

}  // namespace lrtune
