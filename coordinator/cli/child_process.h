// A child process whose end can be waited for with poll(2). Signals: the child starts with none
// blocked and the defaults restored, in its own process group, so that Ctrl-C on the terminal
// reaches only its parent. It inherits no descriptor beyond the standard three. posix_spawn and a
// pidfd rather than Boost.Process, which offers neither the signal mask nor the descriptor.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace lrtune {

// How a process ended, for people: "exited with code 3", "was killed by signal 9 (Killed)".
struct ProcessEnd {
  int code = 0;  // exit code, if signal is 0
  int signal = 0;
  std::string words() const;
};

// One thread. Killed and reaped when destroyed.
class ChildProcess {
 public:
  // Runs `program` with `arguments` (without argv[0]); standard input is empty, output and errors
  // are appended to `log`. `defaults`, each "NAME=value", are added to the environment where it has
  // no such name. Errors: the program cannot be run, the log not be opened.
  static Result<ChildProcess> start(const std::filesystem::path& program,
                                    const std::vector<std::string>& arguments,
                                    const std::filesystem::path& log,
                                    std::vector<std::string> defaults = {});
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  int descriptor() const { return descriptor_; }  // readable once the process has ended
  std::optional<ProcessEnd> ended();              // does not wait; at most one call returns the end
  void signal(int number);                        // nothing if it has ended
  bool running() const { return pid_ > 0; }       // not known to have ended

 private:
  ChildProcess(pid_t pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}
  void finish();

  pid_t pid_ = 0;
  int descriptor_ = -1;
};

}  // namespace lrtune
