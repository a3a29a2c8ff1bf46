#include "coordinator/operations/coordinator_metrics.h"

#include <vector>

namespace lrtune {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Registry;

// Seconds: 0.1 ms to 10 s, about three a decade. The targets (0.4 ms, 100 ms) are bounds of
// buckets.
const std::vector<double>& latency_buckets() {
  static const std::vector<double> kBuckets = {
      0.0001, 0.0002, 0.0004, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10};
  return kBuckets;
}

auto& gauge_family(Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry);
}

auto& gauge(Registry& registry, const char* name, const char* help) {
  return gauge_family(registry, name, help).Add({});
}

auto& counter(Registry& registry, const char* name, const char* help,
              const prometheus::Labels& labels = {}) {
  return BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

auto& latency(Registry& registry, const char* name, const char* help) {
  return BuildHistogram().Name(name).Help(help).Register(registry).Add({}, latency_buckets());
}

constexpr const char* kDeparted = "Workers that are gone: lost without a word, or left in order";
constexpr const char* kRepeated = "Messages sent or received again, since the first may be lost";

// A state that the newest picture does not name has none; one seen for the first time gets a gauge.
template <typename State>
void set_all(prometheus::Family<prometheus::Gauge>& family,
             std::map<State, prometheus::Gauge*>& gauges,
             const std::map<State, std::int64_t>& counts) {
  for (const auto& [state, count] : counts) {
    if (gauges.contains(state)) continue;
    gauges[state] = &family.Add({{"state", std::string(name_of(state))}});
  }
  for (const auto& [state, shown] : gauges) {
    const auto found = counts.find(state);
    shown->Set(found == counts.end() ? 0 : static_cast<double>(found->second));
  }
}

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(Registry& registry, Health& health)
    : health_(health),
      queue_(gauge(registry, "lrtune_queue_jobs", "Stage jobs that wait for a slot")),
      slots_(gauge(registry, "lrtune_slots", "Slots of all connected workers")),
      busy_slots_(gauge(registry, "lrtune_slots_busy", "Slots that have a job")),
      workers_(gauge(registry, "lrtune_workers", "Connected workers")),
      trials_family_(
          gauge_family(registry, "lrtune_trials", "Trials of all campaigns of the store")),
      campaigns_family_(gauge_family(registry, "lrtune_campaigns", "Campaigns of the store")),
      lost_workers_(
          counter(registry, "lrtune_workers_departed_total", kDeparted, {{"how", "lost"}})),
      left_workers_(
          counter(registry, "lrtune_workers_departed_total", kDeparted, {{"how", "in_order"}})),
      assignments_(
          counter(registry, "lrtune_assignments_sent_total", "Assignments sent, again included")),
      assignments_repeated_(
          counter(registry, "lrtune_repeated_messages_total", kRepeated, {{"what", "assignment"}})),
      reports_repeated_(
          counter(registry, "lrtune_repeated_messages_total", kRepeated, {{"what", "report"}})),
      reports_stale_(counter(registry, "lrtune_stale_reports_total",
                             "Reports of attempts that were given up; they change nothing")),
      frames_received_(counter(registry, "lrtune_received_frames_total", "Frames from peers")),
      bytes_received_(counter(registry, "lrtune_received_bytes_total", "Bytes of those frames")),
      frames_refused_(counter(registry, "lrtune_refused_frames_total",
                              "Frames that could not be read; their senders are sent away")),
      frames_sent_(counter(registry, "lrtune_sent_frames_total", "Frames to peers")),
      bytes_sent_(counter(registry, "lrtune_sent_bytes_total", "Bytes of those frames")),
      records_(counter(registry, "lrtune_committed_records_total", "Records written to the store")),
      failed_commits_(
          counter(registry, "lrtune_failed_commits_total", "Transactions that were not written")),
      loads_(counter(registry, "lrtune_store_loads_total",
                     "How often the state was read from the store: at the start, and after failed "
                     "commits")),
      load_seconds_(
          gauge(registry, "lrtune_store_load_seconds", "How long the newest of them took")),
      dispatch_(latency(registry, "lrtune_dispatch_seconds",
                        "From the event that freed a slot or added work to the assignment sent, "
                        "committed in between")),
      commit_(latency(registry, "lrtune_commit_seconds", "Durable transactions of the store")),
      turn_(latency(registry, "lrtune_turn_seconds",
                    "Turns of the coordinator's loop, without their waiting")),
      decisions_family_(BuildCounter()
                            .Name("lrtune_decisions_total")
                            .Help("Decisions by code, as lrtune why words them")
                            .Register(registry)) {
  // What alarms look at is there before it happens the first time: rate() needs a beginning.
  for (const char* code : {"assigned", "requeued", "refused", "poisoned", "failed"}) {
    decisions_of(code);
  }
}

prometheus::Counter& CoordinatorMetrics::decisions_of(const std::string& code) {
  prometheus::Counter*& known = decisions_[code];
  if (known == nullptr) known = &decisions_family_.Add({{"code", code}});
  return *known;
}

void CoordinatorMetrics::loading() {
  load_began_ = std::chrono::steady_clock::now();
  health_.loading();
}

void CoordinatorMetrics::loaded() {
  loads_.Increment();
  load_seconds_.Set(Seconds(std::chrono::steady_clock::now() - load_began_).count());
  health_.loaded();
}

void CoordinatorMetrics::received(std::size_t bytes) {
  frames_received_.Increment();
  bytes_received_.Increment(static_cast<double>(bytes));
}

void CoordinatorMetrics::refused() { frames_refused_.Increment(); }

void CoordinatorMetrics::sent(std::size_t bytes) {
  frames_sent_.Increment();
  bytes_sent_.Increment(static_cast<double>(bytes));
}

void CoordinatorMetrics::stepped(const StepFacts& facts) {
  for (const StepFacts::Departed& departed : facts.departed) {
    (departed.in_order ? left_workers_ : lost_workers_).Increment();
  }
  assignments_repeated_.Increment(static_cast<double>(facts.assignments_repeated));
  reports_repeated_.Increment(static_cast<double>(facts.reports_repeated));
  reports_stale_.Increment(static_cast<double>(facts.reports_stale));
}

void CoordinatorMetrics::committed(std::span<const Record> records, Seconds commit) {
  records_.Increment(static_cast<double>(records.size()));
  commit_.Observe(commit.count());
  health_.commits(true);
  for (const Record& record : records) {
    const auto* decision = std::get_if<DecisionRecord>(&record);
    if (decision != nullptr) decisions_of(decision->code).Increment();
  }
}

void CoordinatorMetrics::commit_failed() {
  failed_commits_.Increment();
  health_.commits(false);
}

void CoordinatorMetrics::dispatched(std::int64_t assignments, Seconds since) {
  assignments_.Increment(static_cast<double>(assignments));
  for (std::int64_t i = 0; i < assignments; ++i) dispatch_.Observe(since.count());
}

void CoordinatorMetrics::turned(Seconds work) {
  turn_.Observe(work.count());
  health_.turned();
}

void CoordinatorMetrics::pictured(const Snapshot& snapshot) {
  queue_.Set(static_cast<double>(snapshot.counts.queued_jobs));
  slots_.Set(snapshot.slots);
  busy_slots_.Set(snapshot.busy_slots);
  workers_.Set(snapshot.workers);
  set_all(trials_family_, trials_, snapshot.counts.trials);
  set_all(campaigns_family_, campaigns_, snapshot.counts.campaigns);
  if (snapshot.stopping) health_.stopping();
}

}  // namespace lrtune
