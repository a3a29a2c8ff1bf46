#include "coordinator/cli/command_signals.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace lrtune {

Result<CommandSignals> CommandSignals::open() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int descriptor = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor < 0) return fail(fmt::format("cannot watch signals: {}", std::strerror(errno)));
  return CommandSignals(descriptor);
}

CommandSignals::CommandSignals(CommandSignals&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

CommandSignals::~CommandSignals() {
  if (descriptor_ >= 0) close(descriptor_);
}

int CommandSignals::take() {
  signalfd_siginfo info{};
  const bool read_one = read(descriptor_, &info, sizeof info) == sizeof info;
  return read_one ? static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace lrtune
