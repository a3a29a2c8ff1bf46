#include "coordinator/record_log.h"

#include <fmt/format.h>

namespace lrtune {
namespace {

struct Line {
  std::string operator()(const CampaignRecord& r) const {
    std::string line = fmt::format("campaign={} name={} hash={} state={}", r.id.value, r.name,
                                   r.hash.hex().substr(0, 8), name_of(r.state));
    if (!r.failure.empty()) line += fmt::format(" failure=\"{}\"", r.failure);
    return line;
  }
  std::string operator()(const TrialRecord& r) const {
    return fmt::format("campaign={} trial={} number={} phase={} job={} state={}", r.campaign.value,
                       r.id.value, r.number, name_of(r.phase), r.job.value, name_of(r.state));
  }
  std::string operator()(const JobRecord& r) const {
    return fmt::format("job={} attempt={} state={} worker={} deaths={}", r.id.value, r.attempt,
                       name_of(r.state), r.worker, r.deaths);
  }
  std::string operator()(const DecisionRecord& r) const {
    return fmt::format("decision={} campaign={} trial={} numbers={}", r.code, r.campaign.value,
                       r.trial.value, r.numbers.dump());
  }
  std::string operator()(const RankingRecord& r) const {
    return fmt::format("campaign={} phase={} rank={} trial={}", r.campaign.value, name_of(r.phase),
                       r.rank, r.trial.value);
  }
  std::string operator()(const WorkerOrderRecord& r) const {
    return fmt::format("worker={} order={} reason=\"{}\"", r.worker, name_of(r.order), r.reason);
  }
  std::string operator()(const IdentityRecord&) const { return {}; }
  std::string operator()(const PointRecord&) const { return {}; }
};

}  // namespace

std::string log_line(const Record& record) { return std::visit(Line{}, record); }

}  // namespace lrtune
