#include "worker/training/cpu_settings.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <malloc.h>

#include <mutex>

namespace lrtune {

void prepare_process_for_cpu() {
  // A step allocates and frees the same few megabytes again and again. By default glibc hands them
  // back to the kernel each time and pays for thousands of page faults: 37 instead of 28 ms a step
  // of LeNet.
  constexpr int kKeep = 1 << 30;  // bytes
  mallopt(M_MMAP_THRESHOLD, kKeep);
  mallopt(M_TRIM_THRESHOLD, kKeep);
  mallopt(M_TOP_PAD, 64 << 20);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  // Otherwise deterministic mode also fills all new memory, which costs time and changes no result.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

std::string cpu_instruction_set() { return at::get_cpu_capability(); }

void set_computing_threads(int threads) {
  // A thread's first parallel operation gives it the number that any thread set last. Asking for
  // the number brings that about now, so that it cannot undo what follows.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (at::get_num_threads() != threads) at::set_num_threads(threads);
}

}  // namespace lrtune
