#include "common/wire/security/key_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace lrtune::wire {
namespace {

constexpr std::size_t kKeyCharacters = 40;
constexpr std::size_t kMostBytes = 256;  // of a key file
constexpr mode_t kSecretMode = 0600;
constexpr mode_t kPublicMode = 0644;
constexpr mode_t kOthersMayDoAnything = 0077;
constexpr mode_t kOthersMayWrite = 0022;

std::string reason(int error) { return std::system_category().message(error); }

class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, int flags, mode_t mode = 0)
      : number_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~OpenFile() {
    if (number_ >= 0) close(number_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// Whoever may do more than `forbidden` allows could read or replace the key.
Result<void> check_owner(const std::filesystem::path& path, const struct stat& found,
                         mode_t forbidden) {
  if (!S_ISREG(found.st_mode)) return fail(fmt::format("{} is not a file", path.string()));
  if (found.st_uid != geteuid() && found.st_uid != 0) {
    return fail(fmt::format("{} belongs to another user: keys must be this user's or root's",
                            path.string()));
  }
  if ((found.st_mode & forbidden) == 0) return {};
  const bool secret = forbidden == kOthersMayDoAnything;
  return fail(fmt::format("{} may be {} by others (mode {:04o}): chmod {} {}", path.string(),
                          secret ? "read or written" : "written", found.st_mode & 07777,
                          secret ? "600" : "go-w", path.string()));
}

bool is_key(const std::string& text) {
  std::array<std::uint8_t, 32> bytes{};
  return text.size() == kKeyCharacters && zmq_z85_decode(bytes.data(), text.c_str()) != nullptr;
}

Result<std::string> read_key(const std::filesystem::path& path, mode_t forbidden) {
  const OpenFile file(path, O_RDONLY | O_NONBLOCK);  // a FIFO must not hold anyone up
  struct stat found {};
  if (file.number() < 0 || fstat(file.number(), &found) != 0)
    return fail(fmt::format("cannot read the key {}: {}", path.string(), reason(errno)));
  if (auto owned = check_owner(path, found, forbidden); !owned)
    return tl::unexpected(owned.error());
  std::string text(kMostBytes, '\0');
  const ssize_t count = read(file.number(), text.data(), text.size());
  if (count < 0)
    return fail(fmt::format("cannot read the key {}: {}", path.string(), reason(errno)));
  text.resize(static_cast<std::size_t>(count));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (!is_key(text)) {
    return fail(fmt::format("{} is no key: it must be one line of {} characters of Z85",
                            path.string(), kKeyCharacters));
  }
  return text;
}

Result<void> write_key(const std::filesystem::path& path, const std::string& key, mode_t mode) {
  const OpenFile file(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  if (file.number() < 0 && errno == EEXIST)
    return fail(fmt::format("{} is there already; keys are never overwritten", path.string()));
  const std::string line = key + '\n';
  // The mode comes last, as those who follow a folder are told of it: the key is whole then.
  if (file.number() < 0 || write(file.number(), line.data(), line.size()) != std::ssize(line) ||
      fchmod(file.number(), mode) != 0 || fsync(file.number()) != 0)
    return fail(fmt::format("cannot write the key {}: {}", path.string(), reason(errno)));
  return {};
}

std::filesystem::path file_of(const std::filesystem::path& folder, std::string_view name,
                              std::string_view kind) {
  return folder / fmt::format("{}.{}", name, kind);
}

}  // namespace

KeyPair make_key_pair() {
  std::array<char, kKeyCharacters + 1> public_key{};
  std::array<char, kKeyCharacters + 1> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    throw std::runtime_error("this ZeroMQ has no CURVE");
  return {public_key.data(), secret_key.data()};
}

Result<std::string> read_public_key(const std::filesystem::path& file) {
  return read_key(file, kOthersMayWrite);
}

Result<KeyPair> read_key_pair(const std::filesystem::path& folder, std::string_view name) {
  const auto secret_file = file_of(folder, name, "secret");
  const auto public_file = file_of(folder, name, "public");
  auto secret_key = read_key(secret_file, kOthersMayDoAnything);
  if (!secret_key) return tl::unexpected(secret_key.error());
  auto public_key = read_public_key(public_file);
  if (!public_key) return tl::unexpected(public_key.error());
  std::array<char, kKeyCharacters + 1> expected{};
  if (zmq_curve_public(expected.data(), secret_key->c_str()) != 0)
    throw std::runtime_error("this ZeroMQ has no CURVE");
  if (*public_key != expected.data()) {
    return fail(fmt::format("{} does not belong to {}", public_file.string(),
                            secret_file.filename().string()));
  }
  return KeyPair{*std::move(public_key), *std::move(secret_key)};
}

Result<void> write_key_pair(const std::filesystem::path& folder, std::string_view name,
                            const KeyPair& pair) {
  auto written = write_key(file_of(folder, name, "secret"), pair.secret_key, kSecretMode);
  if (written) written = write_public_key(file_of(folder, name, "public"), pair.public_key);
  return written;
}

Result<void> write_public_key(const std::filesystem::path& file, const std::string& public_key) {
  return write_key(file, public_key, kPublicMode);
}

}  // namespace lrtune::wire
