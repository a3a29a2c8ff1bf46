// A user's file as text.
#pragma once

#include <string>

#include "common/result.h"

namespace lrtune {

// The whole of the file. `what`, in errors, is what it should be: "an experiment".
Result<std::string> read_text_file(const std::string& path, const std::string& what);

}  // namespace lrtune
