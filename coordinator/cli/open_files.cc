#include "coordinator/cli/open_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace lrtune {
namespace {

constexpr std::uint64_t kOwnFiles = 64;  // store, log, event descriptors, listening sockets

}  // namespace

std::uint64_t raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  rlimit raised = limit;
  raised.rlim_cur = raised.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  return limit.rlim_cur;
}

std::uint64_t connections_within(std::uint64_t open_files) {
  return open_files - std::min(open_files, kOwnFiles);
}

}  // namespace lrtune
