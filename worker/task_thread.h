// A thread that carries out tasks one after the other. It stays the same thread for all of them:
// LibTorch's OpenMP keeps a pool of threads for each thread that trains.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace lrtune {

class TaskThread {
 public:
  TaskThread();
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;
  ~TaskThread();  // waits for the task under way; those that wait are dropped

  void post(std::function<void()> task);  // must not throw

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all above
};

}  // namespace lrtune
