#include "worker/training/device_name.h"

#include <gtest/gtest.h>

namespace lrtune {
namespace {

TEST(DeviceName, IsCpuCudaOrAGpuByIndex) {
  EXPECT_EQ(parse_device("cpu"), (DeviceName{"cpu", 0}));
  EXPECT_EQ(parse_device("cuda"), (DeviceName{"cuda", 0}));
  EXPECT_EQ(parse_device("cuda:0"), (DeviceName{"cuda", 0}));
  EXPECT_EQ(parse_device("cuda:17"), (DeviceName{"cuda", 17}));
}

TEST(DeviceName, IsNothingElse) {
  for (const char* text : {"", "gpu", "cpu:0", "cuda:", "cuda:-1", "cuda:1x", "cuda:256", "CUDA",
                           "cuda: 1", "cuda:99999999999"}) {
    const auto device = parse_device(text);
    ASSERT_FALSE(device) << text;
    EXPECT_EQ(device.error().message,
              "the device must be cpu, cuda or cuda:N with N from 0 to 255, not '" +
                  std::string(text) + "'");
  }
}

}  // namespace
}  // namespace lrtune
