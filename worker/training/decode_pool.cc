#include "worker/training/decode_pool.h"

#include <algorithm>
#include <utility>

namespace lrtune {

DecodePool::DecodePool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run_thread(); });
}

DecodePool::~DecodePool() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  begin_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::shared_ptr<DecodePool::Work> DecodePool::start(std::size_t items,
                                                    std::function<void(std::size_t)> run) {
  auto work = std::make_shared<Work>(Work{.run = std::move(run), .items = items});
  if (items == 0) return work;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(work);
  }
  begin_.notify_all();
  return work;
}

void DecodePool::finish(Work& work) {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return work.done == work.items; });
}

void DecodePool::drop(Work& work) {
  std::unique_lock lock(mutex_);
  std::erase_if(queue_, [&](const auto& queued) { return queued.get() == &work; });
  work.items = work.begun;
  ended_.wait(lock, [&] { return work.done == work.items; });
}

void DecodePool::run_thread() {
  std::unique_lock lock(mutex_);
  while (true) {
    begin_.wait(lock, [&] { return leaving_ || !queue_.empty(); });
    if (leaving_) return;
    const std::shared_ptr<Work> work = queue_.front();
    const std::size_t item = work->begun++;
    if (work->begun == work->items) queue_.pop_front();
    lock.unlock();
    work->run(item);
    lock.lock();
    if (++work->done == work->items) ended_.notify_all();
  }
}

}  // namespace lrtune
