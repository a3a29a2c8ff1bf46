// How many files, and with them connections, this process may have open.
#pragma once

#include <cstdint>

namespace lrtune {

// Raises the limit of open files to what the system allows this process (setrlimit(2), the hard
// limit). Gives the limit that holds then.
std::uint64_t raise_open_files();

// Connections that fit beside the files of the coordinator itself.
std::uint64_t connections_within(std::uint64_t open_files);

}  // namespace lrtune
