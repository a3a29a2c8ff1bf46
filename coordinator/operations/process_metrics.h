// What is looked up when somebody asks: the process and the files of the store.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <string>

namespace lrtune {

// One thread.
class ProcessMetrics {
 public:
  // `store`: path of the policy store, which need not be there yet. `registry` must outlive it.
  ProcessMetrics(prometheus::Registry& registry, std::string store);

  // Looks everything up. What cannot be read becomes NaN.
  void refresh();

 private:
  const std::string store_;
  prometheus::Gauge& store_bytes_;
  prometheus::Gauge& wal_bytes_;
  prometheus::Gauge& free_bytes_;
  prometheus::Gauge& resident_bytes_;
  prometheus::Gauge& open_files_;
  prometheus::Gauge& most_open_files_;
  prometheus::Counter& cpu_seconds_;
};

}  // namespace lrtune
