// How a worker is told its device: "cpu", "cuda", or "cuda:1" for the second GPU. No LibTorch.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace lrtune {

struct DeviceName {
  std::string kind;  // "cpu" or "cuda", as Numerics has it
  int index = 0;     // of the GPU, as CUDA counts those that the process may see
  bool operator==(const DeviceName&) const = default;
};

// Errors: it is none of the three forms.
Result<DeviceName> parse_device(std::string_view text);

}  // namespace lrtune
