#include "worker/training/cpu_settings.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <malloc.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <mutex>

namespace lrtune {
namespace {

// Empty where the processor does not tell.
std::string cpu_maker() {
#if defined(__x86_64__)
  unsigned highest = 0;
  std::array<unsigned, 3> words{};  // in the order of the text
  if (__get_cpuid(0, &highest, &words[0], &words[2], &words[1]) == 0) return {};
  const std::string text(reinterpret_cast<const char*>(words.data()), sizeof words);
  if (text == "GenuineIntel") return "Intel";
  if (text == "AuthenticAMD") return "AMD";
  return text;
#else
  return {};
#endif
}

}  // namespace

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

std::string cpu_instruction_set() {
  const std::string set = at::get_cpu_capability();
  const std::string maker = cpu_maker();
  return maker.empty() ? set : set + ' ' + maker;
}

void set_computing_threads(int threads) {
  // A thread's first parallel operation gives it the number that any thread set last. Asking for
  // the number brings that about now, so that it cannot undo what follows.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (at::get_num_threads() != threads) at::set_num_threads(threads);
}

}  // namespace lrtune
