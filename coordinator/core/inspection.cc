// What people want to see, as documents that fit in a frame: lists come a page at a time.
// PROTOCOL.md has their keys.
#include <algorithm>

#include "coordinator/core/core_state.h"

namespace lrtune {
namespace {

constexpr std::size_t kCampaignsAPage = 40;
constexpr std::size_t kWorkersAPage = 60;
constexpr std::size_t kRunningShown = 40;
constexpr std::size_t kJobsShown = 4;  // of a worker
constexpr std::size_t kTextBytes = 300;

nlohmann::json optional_number(const std::optional<double>& number) {
  return number ? nlohmann::json(*number) : nlohmann::json();
}

std::string cut(const std::string& text) {
  if (text.size() <= kTextBytes) return text;
  std::size_t end = kTextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + " ...";
}

nlohmann::json running_document(const RunningTrial& running) {
  return {{"trial", running.trial.value},         {"policy", cut(running.policy)},
          {"worker", cut(running.worker)},        {"attempt", running.attempt},
          {"iteration", running.iteration},       {"iterations", running.iterations},
          {"top1", optional_number(running.top1)}};
}

nlohmann::json best_documents(const CoreState& state, const Campaign& campaign) {
  nlohmann::json list = nlohmann::json::array();
  for (const RankedTrial& ranked : campaign.best) {
    const TrialRecord& trial = state.trials.at(ranked.trial);
    list.push_back({{"trial", ranked.trial.value},
                    {"policy", cut(policy_words(state, trial))},
                    {"scores", ranked.scores}});
  }
  return list;
}

std::size_t queue_length(const Campaign& campaign) {
  std::size_t length = 0;
  for (const auto& [identity, jobs] : campaign.queue) length += jobs.size();
  return length;
}

nlohmann::json worker_document(const CoreState& state, const Worker& worker) {
  nlohmann::json jobs = nlohmann::json::array();
  for (const JobId id : worker.jobs) {
    if (jobs.size() >= kJobsShown) break;
    const Job& job = state.jobs.at(id);
    jobs.push_back({{"job", id.value},
                    {"trial", state.first_trial(job).id.value},
                    {"attempt", job.record.attempt},
                    {"state", name_of(job.record.state)},
                    {"iteration", job.iteration}});
  }
  const auto seconds = [&](SteadyTime since) {
    return std::chrono::duration<double>(state.now.steady - since).count();
  };
  return {{"name", cut(worker.name)},
          {"slots", worker.slots},
          {"held", worker.jobs.size()},
          {"jobs", std::move(jobs)},
          {"computes", cut(words(worker.numerics))},
          {"silent_seconds", seconds(worker.last_heard)},
          {"joined_seconds", seconds(worker.joined_at)},
          {"draining", worker.draining}};
}

// `running_iterations`: of its trials that run.
nlohmann::json summary(const CoreState& state, const Campaign& campaign,
                       std::int64_t running_iterations) {
  const CampaignView shown = view(state, campaign);
  return {{"campaign", campaign.record.id.value},
          {"name", cut(campaign.record.name)},
          {"hash", campaign.record.hash.hex()},
          {"state", name_of(campaign.record.state)},
          {"paused", campaign.record.paused},
          {"priority", campaign.record.priority},
          {"extensions", campaign.record.extensions},
          {"failure", cut(campaign.record.failure)},
          {"created_at", campaign.record.created_at},
          {"ended_at", campaign.record.ended_at},
          {"trials", shown.trials},
          {"trials_most", shown.trials_most},
          {"ended", shown.done},
          {"diverged", shown.diverged},
          {"failed", shown.failed},
          {"cancelled", campaign.cancelled},
          {"stopped", campaign.stopped},
          {"reused", shown.reused},
          {"running", campaign.running},
          {"queued", queue_length(campaign)},
          {"iterations_done", shown.iterations_done + running_iterations},
          {"iterations_total", shown.iterations_total},
          {"iterations_most", shown.iterations_most},
          {"iterations_asked", shown.iterations_asked},
          {"best_top1", optional_number(shown.best_top1)},
          {"best_trial", shown.best_trial.value},
          {"waiting_for", cut(shown.waiting_for)}};
}

std::map<CampaignId, std::int64_t> running_iterations(const CoreState& state) {
  std::map<CampaignId, std::int64_t> iterations;
  for (const JobId id : state.held) {
    const Job& job = state.jobs.at(id);
    for (const JobUse& use : job.uses) iterations[use.campaign] += job.own_iterations_done();
  }
  return iterations;
}

nlohmann::json campaigns_page(const CoreState& state, const std::string& after) {
  nlohmann::json list = nlohmann::json::array();
  std::map<CampaignId, std::int64_t> iterations = running_iterations(state);
  const CampaignId limit{after.empty() ? 0 : std::strtoll(after.c_str(), nullptr, 10)};
  bool more = false;
  for (auto it = state.campaigns.rbegin(); it != state.campaigns.rend(); ++it) {
    if (limit && it->first >= limit) continue;
    more = list.size() >= kCampaignsAPage;
    if (more) break;
    list.push_back(summary(state, it->second, iterations[it->first]));
  }
  return {{"campaigns", std::move(list)}, {"more", more}};
}

nlohmann::json workers_page(const CoreState& state, const std::string& after) {
  std::vector<const Worker*> workers;
  for (const auto& [peer, worker] : state.workers) {
    if (worker.name > after) workers.push_back(&worker);
  }
  std::sort(workers.begin(), workers.end(), [](const Worker* a, const Worker* b) {
    return std::pair(a->name, a->peer) < std::pair(b->name, b->peer);
  });
  nlohmann::json list = nlohmann::json::array();
  for (const Worker* worker : workers) {
    // Workers of one name stand on one page: the next begins after a name.
    if (list.size() >= kWorkersAPage && list.back()["name"] != worker->name) break;
    list.push_back(worker_document(state, *worker));
  }
  const bool more = list.size() < workers.size();
  nlohmann::json orders = nlohmann::json::array();
  for (const auto& [name, order] : state.orders) {
    if (name <= after || orders.size() >= kWorkersAPage) continue;
    orders.push_back(
        {{"worker", cut(name)}, {"order", name_of(order.order)}, {"reason", cut(order.reason)}});
  }
  return {{"workers", std::move(list)}, {"orders", std::move(orders)}, {"more", more}};
}

}  // namespace

nlohmann::json campaign_document(const CoreState& state, const Campaign& campaign) {
  nlohmann::json running = nlohmann::json::array();
  std::int64_t iterations = 0;
  for (const JobId id : state.held) {
    const Job& job = state.jobs.at(id);
    for (const JobUse& use : job.uses) {
      if (use.campaign == campaign.record.id) iterations += job.own_iterations_done();
    }
    for (const TrialId trial : shown_trials(state, job)) {
      const TrialRecord& record = state.trials.at(trial);
      if (record.campaign != campaign.record.id) continue;
      if (running.size() < kRunningShown && !state.orphans.contains(id))
        running.push_back(running_document(running_trial(state, job, record)));
    }
  }
  nlohmann::json document = summary(state, campaign, iterations);
  document["trials_running"] = std::move(running);
  document["best"] = best_documents(state, campaign);
  return document;
}

void on_inspect(CoreState& state, const PeerId& peer, const wire::Inspect& request) {
  nlohmann::json document;
  if (request.kind == wire::InspectKind::kCampaigns) {
    document = campaigns_page(state, request.after);
  } else if (request.kind == wire::InspectKind::kWorkers) {
    document = workers_page(state, request.after);
  } else {
    const auto found = find_campaign(state, request.target);
    if (!found) return answer_error(state, peer, request.request, found.error().message);
    recall_best(state, **found);
    document = campaign_document(state, **found);
  }
  state.send(peer, wire::Answer{request.request, {}, std::move(document)});
}

}  // namespace lrtune
