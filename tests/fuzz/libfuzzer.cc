// The entry of libFuzzer for the target that LRTUNE_FUZZ_TARGET names.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lrtune::fuzz::LRTUNE_FUZZ_TARGET({data, size});
  return 0;
}
