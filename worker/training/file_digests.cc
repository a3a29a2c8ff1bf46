#include "worker/training/file_digests.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <unordered_map>

#include "worker/training/contents_hash.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// What says that a file is still the one that was read.
struct Stamp {
  std::uint64_t bytes = 0;
  std::uint64_t inode = 0;
  std::int64_t changed = 0;  // nanoseconds
  bool operator==(const Stamp&) const = default;
};
struct Noted {
  Stamp stamp;
  Digest digest;
};
using Notes = std::unordered_map<std::string, Noted>;  // by name

Result<Stamp> stamp_of(const fs::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    return fail(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  constexpr std::int64_t kSecond = 1'000'000'000;
  return Stamp{.bytes = static_cast<std::uint64_t>(status.st_size),
               .inode = status.st_ino,
               .changed = status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec};
}

Result<Digest> read_digest(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> piece(kPieceBytes);
  ContentsHash hash;
  while (file) {
    file.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    hash.add(std::span(piece).first(static_cast<std::size_t>(file.gcount())));
  }
  if (!file.eof()) return fail(fmt::format("{}: cannot be read", path.string()));
  return hash.finish();
}

// One line a file: digest, bytes, inode, time, name to the end of the line.
Notes read_notes(const fs::path& cache) {
  Notes notes;
  std::ifstream file(cache);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string hex;
    std::string name;
    Noted noted;
    words >> hex >> noted.stamp.bytes >> noted.stamp.inode >> noted.stamp.changed;
    words.get();
    const auto digest = Digest::from_hex(hex);
    if (!words || !std::getline(words, name) || !digest) continue;
    noted.digest = *digest;
    notes.emplace(std::move(name), noted);
  }
  return notes;
}

// Appears whole or not at all: other workers may be reading.
void write_notes(const fs::path& cache, std::span<const std::string> names,
                 const std::vector<Noted>& found) {
  std::error_code ignored;
  fs::create_directories(cache.parent_path(), ignored);
  const fs::path partial = fmt::format("{}.{}", cache.string(), getpid());
  std::ofstream file(partial);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& [stamp, digest] = found[i];
    if (names[i].find('\n') != std::string::npos) continue;
    file << fmt::format("{} {} {} {} {}\n", digest.hex(), stamp.bytes, stamp.inode, stamp.changed,
                        names[i]);
  }
  file.close();
  if (file) {
    fs::rename(partial, cache, ignored);
  } else {
    fs::remove(partial, ignored);
  }
}

Result<Noted> look_at(const fs::path& folder, const std::string& name, const Notes& notes) {
  const fs::path path = folder / name;
  const auto stamp = stamp_of(path);
  if (!stamp) return tl::unexpected(stamp.error());
  const auto known = notes.find(name);
  if (known != notes.end() && known->second.stamp == *stamp) return known->second;
  const auto digest = read_digest(path);
  if (!digest) return tl::unexpected(digest.error());
  return Noted{.stamp = *stamp, .digest = *digest};
}

}  // namespace

Result<std::vector<FileDigest>> file_digests(const fs::path& folder,
                                             std::span<const std::string> names,
                                             const fs::path& cache, int threads) {
  const Notes notes = cache.empty() ? Notes() : read_notes(cache);
  std::vector<Noted> found(names.size());
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> error;
  const auto look = [&] {
    for (std::size_t i = next++; i < names.size(); i = next++) {
      const auto noted = look_at(folder, names[i], notes);
      if (noted) {
        found[i] = *noted;
      } else {
        const std::lock_guard lock(mutex);
        error = noted.error();
        next = names.size();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(look);
    look();
  }
  if (error) return tl::unexpected(std::move(*error));
  const bool same = notes.size() == names.size() &&
                    std::all_of(names.begin(), names.end(), [&](const std::string& name) {
                      const auto at = notes.find(name);
                      const auto i = static_cast<std::size_t>(&name - names.data());
                      return at != notes.end() && at->second.stamp == found[i].stamp;
                    });
  if (!cache.empty() && !same) write_notes(cache, names, found);
  std::vector<FileDigest> digests;
  digests.reserve(found.size());
  for (const Noted& noted : found) digests.push_back({noted.stamp.bytes, noted.digest});
  return digests;
}

}  // namespace lrtune
