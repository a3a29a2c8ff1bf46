#include "worker/stop_signals.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>

namespace lrtune {
namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

}  // namespace

Result<StopSignals> StopSignals::block() {
  const sigset_t set = set_of({SIGTERM, SIGINT, SIGUSR1});
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return fail(fmt::format("cannot block signals: {}", std::strerror(error)));
  }
  Descriptor descriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) return fail(fmt::format("cannot wait for signals: {}", std::strerror(errno)));
  return StopSignals(std::move(descriptor));
}

std::string StopSignals::take() {
  signalfd_siginfo info{};
  if (read(descriptor(), &info, sizeof info) != sizeof info) return "a signal";
  if (info.ssi_signo == SIGUSR1) return "SIGUSR1";
  return info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
}

void StopSignals::let_kill() {
  const sigset_t set = set_of({SIGTERM, SIGINT});
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

// Not PR_SET_PDEATHSIG: that one comes when the *thread* that started this process ends.
Result<Descriptor> watch_process(int pid) {
  Descriptor descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!descriptor)
    return fail(fmt::format("cannot watch process {}: {}", pid, std::strerror(errno)));
  return descriptor;
}

}  // namespace lrtune
