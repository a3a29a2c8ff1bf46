#include "coordinator/cli/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

extern "C" {  // glibc 2.36 does not say so itself
#include <sys/pidfd.h>
}

extern char** environ;

namespace lrtune {
namespace {

// posix_spawn's two argument objects, freed at the end.
class SpawnPlan {
 public:
  explicit SpawnPlan(const std::filesystem::path& log) {
    posix_spawn_file_actions_init(&files_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files_, STDOUT_FILENO, STDERR_FILENO);
    // Not every library opens with O_CLOEXEC: a log of the parent's must not live on in a child.
    posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&files_);
  }
  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

// This process's environment and those of `defaults` that it has no value for, for posix_spawn.
// Both must outlive it.
std::vector<char*> environment_with(std::vector<std::string>& defaults) {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  for (std::string& variable : defaults) {
    const std::string name = variable.substr(0, variable.find('='));
    if (getenv(name.c_str()) == nullptr) variables.push_back(variable.data());
  }
  variables.push_back(nullptr);
  return variables;
}

}  // namespace

std::string ProcessEnd::words() const {
  if (signal != 0) return fmt::format("was killed by signal {} ({})", signal, strsignal(signal));
  return fmt::format("exited with code {}", code);
}

Result<ChildProcess> ChildProcess::start(const std::filesystem::path& program,
                                         const std::vector<std::string>& arguments,
                                         const std::filesystem::path& log,
                                         std::vector<std::string> defaults) {
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  std::vector<char*> variables = environment_with(defaults);
  const SpawnPlan plan(log);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), plan.files(), plan.attributes(), argv.data(),
                                variables.data());
  if (error != 0) {
    return fail(fmt::format("cannot run {}: {}", program.string(), strerror(error)));
  }
  ChildProcess child(pid, pidfd_open(pid, 0));
  if (child.descriptor_ < 0) {
    return fail(fmt::format("cannot watch process {}: {}", pid, strerror(errno)));
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), descriptor_(std::exchange(other.descriptor_, -1)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    finish();
    pid_ = std::exchange(other.pid_, 0);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

ChildProcess::~ChildProcess() { finish(); }

void ChildProcess::finish() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
}

std::optional<ProcessEnd> ChildProcess::ended() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = 0;
  close(std::exchange(descriptor_, -1));
  if (WIFSIGNALED(status)) return ProcessEnd{0, WTERMSIG(status)};
  return ProcessEnd{WEXITSTATUS(status), 0};
}

void ChildProcess::signal(int number) {
  if (pid_ > 0) kill(pid_, number);
}

}  // namespace lrtune
