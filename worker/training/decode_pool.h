// Threads that decode images ahead of the training step.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lrtune {

struct DecodeOptions {
  int threads = 1;  // of each run; decide no bit
  // What people should know: an image that was skipped. Called from the run's thread.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

class DecodePool {
 public:
  // So many items, each done once by some thread.
  struct Work {
    std::function<void(std::size_t item)> run;  // must not throw
    std::size_t items = 0;
    std::size_t begun = 0;
    std::size_t done = 0;
  };

  explicit DecodePool(int threads);
  // Waits for the items that have begun; all others are left undone.
  ~DecodePool();
  DecodePool(const DecodePool&) = delete;
  DecodePool& operator=(const DecodePool&) = delete;

  // Work that was started first begins first. Any thread may call these three.
  std::shared_ptr<Work> start(std::size_t items, std::function<void(std::size_t)> run);
  void finish(Work& work);  // returns when all items are done
  void drop(Work& work);    // no item begins any more; returns when those that have are done

 private:
  void run_thread();

  std::mutex mutex_;
  std::condition_variable begin_;            // work came, or the end
  std::condition_variable ended_;            // a piece of work has no item in hand or left
  std::deque<std::shared_ptr<Work>> queue_;  // with items that have not begun
  bool leaving_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lrtune
