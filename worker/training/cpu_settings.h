// Process and thread settings of computing on the CPU, which the CUDA build needs too.
#pragma once

#include <string>

namespace lrtune {

// Keeps freed memory in the process and makes LibTorch choose deterministic algorithms.
void prepare_process_for_cpu();

// "AVX512 Intel", "AVX2 AMD", "DEFAULT Intel" ...: which of its kernels LibTorch uses here, and the
// processor's maker, by which the libraries under it choose theirs.
std::string cpu_instruction_set();

// The calling thread computes with so many threads from now on; other threads keep their number.
void set_computing_threads(int threads);

}  // namespace lrtune
