#include <exception>

#include "coordinator/cli/command_line.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"

int main(int argc, char** argv) {
  try {
    return lrtune::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    // Every expected failure is a Result; this is a defect or a machine out of memory.
    for (const char* part : {"lrtune: internal error: ", error.what(), "\n"}) {
      lrtune::write_note(part);
    }
    return lrtune::kExitFailure;
  }
}
