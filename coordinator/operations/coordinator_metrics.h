// The coordinator's metrics and health, kept by watching its loop. docs/OPERATIONS.md says what
// each of them means.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <string>

#include "coordinator/operations/health.h"
#include "coordinator/runtime_observer.h"

namespace lrtune {

// Called from the coordinator's thread; the registry may be collected by any other meanwhile.
class CoordinatorMetrics : public RuntimeObserver {
 public:
  // Both must outlive it. All metrics but the decisions' codes are there from the beginning.
  CoordinatorMetrics(prometheus::Registry& registry, Health& health);

  void loading() override;
  void loaded() override;
  void received(std::size_t bytes) override;
  void refused() override;
  void sent(std::size_t bytes) override;
  void stepped(const StepFacts& facts) override;
  void committed(std::span<const Record> records, Seconds commit) override;
  void commit_failed() override;
  void dispatched(std::int64_t assignments, Seconds since) override;
  void turned(Seconds work) override;
  void pictured(const Snapshot& snapshot) override;

 private:
  prometheus::Counter& decisions_of(const std::string& code);

  Health& health_;
  std::chrono::steady_clock::time_point load_began_;

  prometheus::Gauge& queue_;
  prometheus::Gauge& slots_;
  prometheus::Gauge& busy_slots_;
  prometheus::Gauge& workers_;
  prometheus::Family<prometheus::Gauge>& trials_family_;
  prometheus::Family<prometheus::Gauge>& campaigns_family_;
  std::map<TrialState, prometheus::Gauge*> trials_;
  std::map<CampaignState, prometheus::Gauge*> campaigns_;

  prometheus::Counter& lost_workers_;
  prometheus::Counter& left_workers_;
  prometheus::Counter& assignments_;
  prometheus::Counter& assignments_repeated_;
  prometheus::Counter& reports_repeated_;
  prometheus::Counter& reports_stale_;
  prometheus::Counter& frames_received_;
  prometheus::Counter& bytes_received_;
  prometheus::Counter& frames_refused_;
  prometheus::Counter& frames_sent_;
  prometheus::Counter& bytes_sent_;
  prometheus::Counter& records_;
  prometheus::Counter& failed_commits_;
  prometheus::Counter& loads_;
  prometheus::Gauge& load_seconds_;
  prometheus::Histogram& dispatch_;
  prometheus::Histogram& commit_;
  prometheus::Histogram& turn_;
  prometheus::Family<prometheus::Counter>& decisions_family_;
  std::map<std::string, prometheus::Counter*> decisions_;
};

}  // namespace lrtune
