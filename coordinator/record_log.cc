#include "coordinator/record_log.h"

#include "common/logfmt.h"

namespace lrtune {
namespace {

struct Line {
  std::string operator()(const CampaignRecord& r) const {
    LogLine line("campaign");
    line.add("campaign", r.id).add("name", r.name).add("hash", r.hash.hex().substr(0, 8));
    line.add("state", name_of(r.state));
    if (!r.failure.empty()) line.add("reason", r.failure);
    return line.text();
  }
  std::string operator()(const TrialRecord& r) const {
    LogLine line("trial");
    line.add("campaign", r.campaign).add("trial", r.id).add("job", r.job);
    if (known.attempt > 0) line.add("attempt", known.attempt);
    line.add("number", r.number).add("phase", name_of(r.phase)).add("state", name_of(r.state));
    return line.text();
  }
  std::string operator()(const JobRecord& r) const {
    LogLine line("job");
    if (known.trial) line.add("campaign", known.campaign).add("trial", known.trial);
    line.add("job", r.id).add("attempt", r.attempt).add("state", name_of(r.state));
    if (!r.worker.empty()) line.add("worker", r.worker);
    line.add("deaths", r.deaths);
    return line.text();
  }
  std::string operator()(const DecisionRecord& r) const {
    LogLine line(r.code);
    line.add("campaign", r.campaign);
    if (r.trial) line.add("trial", r.trial);
    if (known.job) line.add("job", known.job);
    // The attempt that the decision is about may have been followed by another in the same turn.
    const nlohmann::json numbers = r.numbers.json();
    if (known.attempt > 0 && !numbers.contains("attempt")) line.add("attempt", known.attempt);
    return line.add_all(numbers).text();
  }
  std::string operator()(const RankingRecord& r) const {
    LogLine line(r.rank > 0 ? "ranking" : "no_ranking");
    line.add("campaign", r.campaign).add("trial", r.trial);
    return line.add("phase", name_of(r.phase)).add("rank", r.rank).text();
  }
  std::string operator()(const WorkerOrderRecord& r) const {
    LogLine line("worker_order");
    line.add("worker", r.worker).add("order", name_of(r.order)).add("reason", r.reason);
    return line.text();
  }
  std::string operator()(const IdentityRecord&) const { return {}; }
  std::string operator()(const PointRecord&) const { return {}; }

  const WorkIds& known;
};

}  // namespace

std::string log_line(const Record& record, const WorkIds& known) {
  return std::visit(Line{known}, record);
}

}  // namespace lrtune
