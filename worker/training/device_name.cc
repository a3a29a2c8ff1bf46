#include "worker/training/device_name.h"

#include <fmt/format.h>

#include <charconv>

namespace lrtune {

Result<DeviceName> parse_device(std::string_view text) {
  if (text == "cpu" || text == "cuda") return DeviceName{std::string(text)};
  constexpr std::string_view kGpu = "cuda:";
  constexpr int kMostIndex = 255;
  DeviceName device{.kind = "cuda"};
  if (text.starts_with(kGpu)) {
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + kGpu.size(), end, device.index);
    if (error == std::errc() && rest == end && device.index >= 0 && device.index <= kMostIndex)
      return device;
  }
  return fail(fmt::format("the device must be cpu, cuda or cuda:N with N from 0 to {}, not '{}'",
                          kMostIndex, text));
}

}  // namespace lrtune
