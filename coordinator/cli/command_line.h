// The program's command line: options for all, one subcommand a file.
#pragma once

namespace lrtune {

// Parses, carries the command out and returns the exit code (exit_code.h). Data go to standard
// output, all else to standard error.
int run_command_line(int argc, const char* const* argv);

}  // namespace lrtune
