#include "tests/support/process.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <boost/process.hpp>
#include <cerrno>
#include <fstream>
#include <stdexcept>

extern "C" {  // glibc 2.36 does not say so itself
#include <sys/pidfd.h>
}

namespace lrtune {
namespace {

namespace bp = boost::process;
using Clock = std::chrono::steady_clock;

constexpr int kLookEveryMs = 5;

bp::environment environment_with(const std::map<std::string, std::string>& more) {
  bp::environment environment = boost::this_process::environment();
  for (const auto& [name, value] : more) environment[name] = value;
  return environment;
}

}  // namespace

struct Process::Impl {
  bp::pipe out_pipe;
  bp::pipe err_pipe;
  bp::child child;
  std::string out;
  std::string err;

  // Reads what is there, waiting at most `milliseconds`. False once both ends are closed.
  bool read_some(int milliseconds) {
    std::array<pollfd, 2> polled{
        {{out_pipe.native_source(), POLLIN, 0}, {err_pipe.native_source(), POLLIN, 0}}};
    if (polled[0].fd < 0 && polled[1].fd < 0) return false;
    ::poll(polled.data(), polled.size(), milliseconds);
    if (polled[0].revents != 0) take(out_pipe, out);
    if (polled[1].revents != 0) take(err_pipe, err);
    return true;
  }

  static void take(bp::pipe& pipe, std::string& text) {
    std::array<char, 4096> buffer{};
    const ssize_t bytes = ::read(pipe.native_source(), buffer.data(), buffer.size());
    if (bytes > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(bytes));
    } else if (bytes == 0 || errno != EINTR) {
      ::close(pipe.native_source());
      pipe.assign_source(-1);
    }
  }

  [[noreturn]] void give_up(const std::string& what) const {
    throw std::runtime_error(what + "\n--- standard output\n" + out + "--- standard error\n" + err);
  }
};

Process::Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                 const std::filesystem::path& folder,
                 const std::map<std::string, std::string>& environment)
    : impl_(std::make_unique<Impl>()) {
  impl_->child =
      bp::child(bp::exe = program.string(), bp::args = arguments, bp::start_dir = folder.string(),
                bp::std_in<bp::null, bp::std_out> impl_->out_pipe, bp::std_err > impl_->err_pipe,
                environment_with(environment));
}

Process::Process(Process&&) noexcept = default;

Process& Process::operator=(Process&& other) noexcept {
  end();
  impl_ = std::move(other.impl_);
  return *this;
}

Process::~Process() { end(); }

void Process::end() {
  if (!impl_ || !impl_->child.valid()) return;
  std::error_code ignored;
  if (impl_->child.running(ignored)) impl_->child.terminate(ignored);
}

int Process::id() const { return impl_->child.id(); }
const std::string& Process::out() const { return impl_->out; }
const std::string& Process::err() const { return impl_->err; }

void Process::until(const std::string& what, const std::function<bool()>& condition, int seconds) {
  const auto deadline = Clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (!impl_->read_some(kLookEveryMs)) impl_->give_up("the process ended before: " + what);
    if (Clock::now() > deadline) impl_->give_up("it took too long: " + what);
  }
}

void Process::until_error_has(const std::string& text, int seconds) {
  until(
      "'" + text + "' on standard error",
      [&] { return impl_->err.find(text) != std::string::npos; }, seconds);
}

void Process::signal(int number) { ::kill(id(), number); }

std::vector<int> Process::children() const {
  const std::string process = std::to_string(id());
  std::ifstream list("/proc/" + process + "/task/" + process + "/children");
  std::vector<int> children;
  for (int child = 0; list >> child;) children.push_back(child);
  return children;
}

ProcessResult Process::wait(int seconds) {
  const auto deadline = Clock::now() + std::chrono::seconds(seconds);
  while (impl_->read_some(100)) {
    if (Clock::now() > deadline) impl_->give_up("it did not end in time");
  }
  impl_->child.wait();
  const int status = impl_->child.native_exit_code();
  ProcessResult result{-1, 0, impl_->out, impl_->err};
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

bool ended_within(int id, int seconds) {
  const int descriptor = pidfd_open(id, 0);
  if (descriptor < 0) return errno == ESRCH;
  pollfd polled{descriptor, POLLIN, 0};
  const bool ended = ::poll(&polled, 1, seconds * 1000) == 1;
  ::close(descriptor);
  return ended;
}

}  // namespace lrtune
