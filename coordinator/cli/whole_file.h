// A file that is there whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace lrtune {

// Writes `text` beside `path`, syncs it, and renames it over whatever was there. An error leaves
// `path` as it was.
Result<void> write_whole_file(const std::string& path, std::string_view text);

}  // namespace lrtune
