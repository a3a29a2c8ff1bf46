// What people order: campaigns made, paused, resumed, cancelled, extended; workers drained, banned,
// admitted. Each question is answered in the step that records what it changes, and may be asked
// again.
#include <fmt/format.h>

#include <algorithm>

#include "coordinator/core/core_state.h"
#include "coordinator/search/extension.h"
#include "coordinator/search/search.h"

namespace lrtune {
namespace {

constexpr std::size_t kLeastHashDigits = 4;

void answer(CoreState& state, const PeerId& peer, std::int64_t request, nlohmann::json document) {
  state.send(peer, wire::Answer{request, {}, std::move(document)});
}

Result<Experiment> submitted_experiment(const wire::Submit& request) {
  auto experiment = experiment_from_yaml(request.experiment, request.file);
  if (!experiment || request.device.empty()) return experiment;
  return on_device(*experiment, request.device);
}

void prioritise(CoreState& state, Campaign& campaign, std::int64_t priority) {
  if (campaign.record.priority == priority) return;
  campaign.record.priority = static_cast<int>(priority);
  state.write(campaign.record);
  state.decide(campaign.record.id, {}, "prioritised", {{"priority", priority}});
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void order_campaign(CoreState& state, const PeerId& peer, const wire::Order& order) {
  const auto found = find_campaign(state, order.target);
  if (!found) return answer_error(state, peer, order.request, found.error().message);
  Campaign& campaign = **found;
  if (campaign.record.state >= CampaignState::kDone) {
    const bool asked_again = order.kind == wire::OrderKind::kCancel &&
                             campaign.record.state == CampaignState::kCancelled;
    if (!asked_again) {
      return answer_error(
          state, peer, order.request,
          fmt::format("campaign {} ({}) has ended: it is {}", campaign.record.id.value,
                      campaign.record.name, name_of(campaign.record.state)));
    }
  } else if (order.kind == wire::OrderKind::kPause) {
    pause_campaign(state, campaign, order.reason);
  } else if (order.kind == wire::OrderKind::kResume) {
    resume_campaign(state, campaign);
  } else {
    cancel_campaign(state, campaign, order.reason);
  }
  answer(state, peer, order.request, campaign_document(state, campaign));
}

void carry_out(CoreState& state, const PeerId& peer, const wire::Order& order) {
  Worker& worker = state.workers.at(peer);
  if (order.kind == wire::OrderKind::kBan) {
    const std::string reason =
        order.reason.empty() ? "it is banned" : "it is banned: " + order.reason;
    state.send(peer, wire::Rejected{reason});
    lose_worker(state, peer, reason, Departure::kInOrder);
    return;
  }
  worker.draining = order.kind == wire::OrderKind::kDrain;
  note_room(state, worker);
  dismiss_if_drained(state, worker);
}

WorkerOrder worker_order(wire::OrderKind kind) {
  switch (kind) {
    case wire::OrderKind::kDrain:
      return WorkerOrder::kDrain;
    case wire::OrderKind::kBan:
      return WorkerOrder::kBan;
    default:
      return WorkerOrder::kAdmit;
  }
}

// A worker that is not here may be banned, so that it does not come back.
void order_worker(CoreState& state, const PeerId& peer, const wire::Order& order) {
  if (const auto good = wire::check_worker_name(order.target); !good)
    return answer_error(state, peer, order.request, "a worker's name " + good.error().message);
  std::vector<PeerId> named;
  for (const auto& [id, worker] : state.workers) {
    if (worker.name == order.target) named.push_back(id);
  }
  const bool known = !named.empty() || state.orders.contains(order.target);
  if (!known && order.kind != wire::OrderKind::kBan) {
    return answer_error(
        state, peer, order.request,
        fmt::format("there is no worker '{}'; `lrtune workers list` has them all", order.target));
  }
  const WorkerOrder kind = worker_order(order.kind);
  const auto before = state.orders.find(order.target);
  const WorkerOrder old = before == state.orders.end() ? WorkerOrder::kAdmit : before->second.order;
  if (old != kind) {
    const WorkerOrderRecord record{order.target, kind, state.now.wall, order.reason};
    state.write(record);
    state.orders.erase(order.target);
    if (kind != WorkerOrder::kAdmit) state.orders.emplace(order.target, record);
    for (const PeerId& id : named) carry_out(state, id, order);
  }
  answer(state, peer, order.request,
         {{"worker", order.target}, {"order", name_of(kind)}, {"connected", named.size()}});
}

}  // namespace

void answer_error(CoreState& state, const PeerId& peer, std::int64_t request, std::string error) {
  state.send(peer, wire::Answer{request, std::move(error), nlohmann::json::object()});
}

Result<Campaign*> find_campaign(CoreState& state, const std::string& target) {
  if (is_number(target)) {
    const auto it = state.campaigns.find(CampaignId{std::stoll(target)});
    if (it != state.campaigns.end()) return &it->second;
  }
  std::vector<Campaign*> by_hash;
  for (auto it = state.campaigns.rbegin(); it != state.campaigns.rend(); ++it) {
    Campaign& campaign = it->second;
    if (campaign.record.name == target) return &campaign;
    if (target.size() >= kLeastHashDigits && campaign.record.hash.hex().starts_with(target))
      by_hash.push_back(&campaign);
  }
  if (by_hash.size() == 1) return by_hash.front();
  if (by_hash.size() > 1)
    return fail(fmt::format("the hashes of {} campaigns begin with '{}'", by_hash.size(), target));
  return fail(fmt::format(
      "there is no campaign '{}'; a campaign is named by its number, its name or the beginning of "
      "its hash: `lrtune status` has them",
      target));
}

void on_submit(CoreState& state, const PeerId& peer, const wire::Submit& request) {
  const auto experiment = submitted_experiment(request);
  if (!experiment) return answer_error(state, peer, request.request, experiment.error().message);
  if (const auto count = candidate_count(*experiment); !count)
    return answer_error(state, peer, request.request, count.error().message);
  const bool known = state.campaign_by_hash.contains(experiment->hash);
  Campaign& campaign = submit(state, *experiment);
  if (request.priority) prioritise(state, campaign, *request.priority);
  nlohmann::json document = campaign_document(state, campaign);
  document["known"] = known;
  answer(state, peer, request.request, std::move(document));
}

void on_order(CoreState& state, const PeerId& peer, const wire::Order& order) {
  switch (order.kind) {
    case wire::OrderKind::kPause:
    case wire::OrderKind::kResume:
    case wire::OrderKind::kCancel:
      return order_campaign(state, peer, order);
    case wire::OrderKind::kDrain:
    case wire::OrderKind::kBan:
    case wire::OrderKind::kAdmit:
      return order_worker(state, peer, order);
  }
}

void on_extend(CoreState& state, const PeerId& peer, const wire::Extend& request) {
  const auto found = find_campaign(state, request.campaign);
  if (!found) return answer_error(state, peer, request.request, found.error().message);
  Campaign& campaign = **found;
  const auto current = experiment_from_json(campaign.record.experiment);
  if (!current) return answer_error(state, peer, request.request, current.error().message);
  auto longer =
      extended(*current, {{request.iterations, request.epochs}, request.count, request.policies});
  if (!longer) {
    return answer_error(
        state, peer, request.request,
        fmt::format("campaign {} ({}) cannot be extended so: {}", campaign.record.id.value,
                    campaign.record.name, longer.error().message));
  }
  if (const auto count = candidate_count(*longer); !count)
    return answer_error(state, peer, request.request, count.error().message);
  campaign.experiment = *current;  // an ended campaign of an earlier coordinator has none yet
  extend_campaign(state, campaign, *std::move(longer));
  answer(state, peer, request.request, campaign_document(state, campaign));
}

void on_judge(CoreState& state, const PeerId& peer, const wire::Judge& request) {
  const auto trial = state.trials.find(request.trial);
  if (trial == state.trials.end()) {
    return answer_error(
        state, peer, request.request,
        fmt::format("there is no trial {} to say that of: is the store another one's?",
                    request.trial.value));
  }
  const auto [newest, first] = state.judgements.try_emplace({request.trial, request.kind});
  if (first || newest->second != request.numbers) {
    newest->second = request.numbers;
    state.decide(trial->second.campaign, request.trial, std::string(name_of(request.kind)),
                 request.numbers);
  }
  answer(state, peer, request.request,
         {{"trial", request.trial.value}, {"judgement", name_of(request.kind)}});
}

}  // namespace lrtune
