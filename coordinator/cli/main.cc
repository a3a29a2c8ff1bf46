#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "coordinator/cli/command_line.h"
#include "coordinator/cli/exit_code.h"

int main(int argc, char** argv) {
  try {
    return lrtune::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    // Every expected failure is a Result; this is a defect or a machine out of memory.
    fmt::print(stderr, "lrtune: internal error: {}\n", error.what());
    return lrtune::kExitFailure;
  }
}
