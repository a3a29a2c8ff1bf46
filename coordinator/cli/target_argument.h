// A target on the command line. Pure.
#pragma once

#include <string>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// "top1=0.991" or "loss=0.1". The error is a sentence about --target.
Result<Target> target_from_text(const std::string& text);

}  // namespace lrtune
