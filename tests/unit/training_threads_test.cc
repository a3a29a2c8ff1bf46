#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <barrier>
#include <set>
#include <thread>
#include <vector>

#include "worker/training/cpu_settings.h"
#include "worker/training/torch_headers.h"

namespace lrtune {
namespace {

// How many threads a large operation of the calling thread really uses is LibTorch's business; what
// it may use is this number.
int threads_after_work(std::barrier<>& together, int threads) {
  set_computing_threads(threads);
  together.arrive_and_wait();  // all slots have set theirs before any computes
  const at::Tensor product = at::ones({300, 300}).matmul(at::ones({300, 300}));
  EXPECT_EQ(product[0][0].item<float>(), 300);
  return at::get_num_threads();
}

TEST(ThreadsTest, EachSlotKeepsItsOwnNumber) {
  constexpr int kSlots = 4;
  std::barrier together(kSlots);
  std::vector<int> found(kSlots);
  std::vector<std::thread> slots;
  for (int slot = 0; slot < kSlots; ++slot) {
    slots.emplace_back([&, slot] {
      found[static_cast<std::size_t>(slot)] = threads_after_work(together, 1 + slot % 2);
    });
  }
  for (std::thread& slot : slots) slot.join();
  EXPECT_EQ(found, (std::vector<int>{1, 2, 1, 2}));
}

}  // namespace
}  // namespace lrtune
