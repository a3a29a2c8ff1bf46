#include "coordinator/core/core.h"

#include <algorithm>
#include <utility>

#include "coordinator/core/core_state.h"

namespace lrtune {
namespace {

// Survey numbers are not stored. Each start counts from elsewhere, so that a late answer to an
// earlier coordinator's survey is not taken for that of another data set.
std::int64_t first_survey(const std::string& incarnation) {
  const Digest digest = sha256(incarnation);
  std::int64_t high = 0;
  for (std::size_t i = 0; i < 5; ++i) high = high << 8 | digest.bytes[i];
  return (high << 20) + 1;
}

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

void on_known_peer(CoreState& state, Worker& worker, const wire::ToCoordinator& message) {
  worker.last_heard = state.now.steady;
  std::visit(Overloaded{
                 [](const wire::Hello&) {},  // received() has it
                 [&](const wire::Heartbeat&) { state.send(worker.peer, wire::Heartbeat{}); },
                 [&](const wire::Surveyed& answer) { on_surveyed(state, worker, answer); },
                 [&](const wire::Started& report) { on_started(state, worker, report); },
                 [&](const wire::Progress& report) { on_progress(state, worker, report); },
                 [&](const wire::Measured& report) { on_measured(state, worker, report); },
                 [&](const wire::Finished& report) { on_finished(state, worker, report); },
                 [&](const wire::Refused& report) { on_refused(state, worker, report); },
                 // on_client() has these
                 [](const wire::Submit&) {},
                 [](const wire::Order&) {},
                 [](const wire::Extend&) {},
                 [](const wire::Judge&) {},
                 [](const wire::Inspect&) {},
                 [&](const wire::Goodbye&) {
                   lose_worker(state, PeerId(worker.peer), "it left in order", Departure::kInOrder);
                 },
             },
             message);
}

void on_client(CoreState& state, const PeerId& peer, const wire::ToCoordinator& message) {
  if (const auto* submit = std::get_if<wire::Submit>(&message)) on_submit(state, peer, *submit);
  if (const auto* order = std::get_if<wire::Order>(&message)) on_order(state, peer, *order);
  if (const auto* extend = std::get_if<wire::Extend>(&message)) on_extend(state, peer, *extend);
  if (const auto* judge = std::get_if<wire::Judge>(&message)) on_judge(state, peer, *judge);
  if (const auto* inspect = std::get_if<wire::Inspect>(&message)) on_inspect(state, peer, *inspect);
}

void received(CoreState& state, const event::Received& event) {
  if (wire::is_from_client(event.message)) return on_client(state, event.peer, event.message);
  if (const auto* hello = std::get_if<wire::Hello>(&event.message)) {
    on_hello(state, event.peer, *hello);
    return;
  }
  const auto worker = state.workers.find(event.peer);
  if (worker != state.workers.end()) {
    on_known_peer(state, worker->second, event.message);
  } else if (!std::holds_alternative<wire::Goodbye>(event.message)) {
    state.send(event.peer, wire::Introduce{});
  }
}

void stop(CoreState& state, const std::string& reason) {
  if (state.stopping) return;
  state.stopping = true;
  state.stop_reason = reason;
  for (auto& [id, campaign] : state.campaigns) {
    const bool ended = campaign.record.state >= CampaignState::kDone;
    if (!campaign.active || ended) continue;
    note_busy_time(state, campaign);
    state.write(campaign.record);
    state.decide(id, {}, "stopped",
                 {{"reason", reason},
                  {"ended", std::ssize(campaign.trials) - campaign.open},
                  {"open", campaign.open}});
  }
  shut_down_workers(state);
}

// While the coordinator itself stood still, nobody could renew a lease: all of them are extended by
// the gap.
void forgive_stall(CoreState& state, SteadyTime now) {
  const auto gap = now - state.now.steady;
  if (gap <= 2 * state.options.heartbeat) return;
  for (auto& [peer, worker] : state.workers) worker.last_heard += gap;
  for (const JobId id : state.held) state.jobs.at(id).deadline += gap;
}

}  // namespace

bool CoreState::wanted(const TrialRecord& trial) const {
  if (trial.state > TrialState::kRunning) return false;
  const Campaign& campaign = campaigns.at(trial.campaign);
  return campaign.active && !campaign.record.paused;
}

bool CoreState::needed(const Job& job) const {
  const auto is_wanted = [this](TrialId id) { return wanted(trials.at(id)); };
  if (std::any_of(job.trials.begin(), job.trials.end(), is_wanted)) return true;
  return std::any_of(job.next.begin(), job.next.end(),
                     [this](JobId id) { return needed(jobs.at(id)); });
}

bool CoreState::wanted_by(const Job& job, CampaignId campaign) const {
  const auto is_its = [&](const JobUse& use) { return use.campaign == campaign; };
  if (std::none_of(job.uses.begin(), job.uses.end(), is_its)) return false;
  const auto is_wanted = [&](TrialId id) {
    const TrialRecord& trial = trials.at(id);
    return trial.campaign == campaign && wanted(trial);
  };
  if (std::any_of(job.trials.begin(), job.trials.end(), is_wanted)) return true;
  return std::any_of(job.next.begin(), job.next.end(),
                     [&](JobId id) { return wanted_by(jobs.at(id), campaign); });
}

std::vector<Campaign*> CoreState::campaigns_wanting(const Job& job) {
  std::vector<Campaign*> wanting;
  for (Campaign* campaign : campaigns_of(job)) {
    if (!holds_back(*campaign) && wanted_by(job, campaign->record.id)) wanting.push_back(campaign);
  }
  return wanting;
}

std::vector<Campaign*> CoreState::campaigns_of(const Job& job) {
  std::vector<Campaign*> found;
  found.reserve(job.uses.size());
  for (const JobUse& use : job.uses) found.push_back(&campaigns.at(use.campaign));
  return found;
}

void CoreState::decide(CampaignId campaign, TrialId trial, std::string code, FlatJson numbers) {
  write(DecisionRecord{campaign, trial, now.wall, std::move(code), std::move(numbers)});
}

void CoreState::decide(const Job& job, const std::string& code, const FlatJson& numbers) {
  if (job.trials.empty() && !job.uses.empty()) {
    nlohmann::json of_stage = numbers.json();
    of_stage["stage"] = job.record.iterations;
    const TrialRecord& trial = first_trial(job);
    if (campaigns.at(trial.campaign).active) decide(trial.campaign, trial.id, code, of_stage);
  }
  for (const TrialId id : job.trials) {
    const TrialRecord& trial = trials.at(id);
    if (campaigns.at(trial.campaign).active) decide(trial.campaign, id, code, numbers);
  }
}

void StepFacts::add(StepFacts other) {
  std::move(other.departed.begin(), other.departed.end(), std::back_inserter(departed));
  assignments_repeated += other.assignments_repeated;
  reports_repeated += other.reports_repeated;
  reports_stale += other.reports_stale;
}

void Actions::add(Actions other) {
  std::move(other.records.begin(), other.records.end(), std::back_inserter(records));
  std::move(other.sends.begin(), other.sends.end(), std::back_inserter(sends));
  facts.add(std::move(other.facts));
}

void Actions::clear() {
  records.clear();
  sends.clear();
  facts = {};
}

Core::Core(CoreOptions options, StoredState stored, Now now)
    : state_(std::make_unique<CoreState>()) {
  state_->options = std::move(options);
  state_->now = now;
  state_->last_scan = now.steady;
  state_->next_survey = first_survey(state_->options.incarnation);
  restore_campaigns(*state_, stored);  // what it decides goes out with the first step
}

Core::~Core() = default;
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;

Actions Core::step(const Event& event, Now now) {
  Actions actions;
  step(event, now, actions);
  return actions;
}

void Core::step(const Event& event, Now now, Actions& actions) {
  CoreState& state = *state_;
  Actions left = std::exchange(state.out, std::move(actions));  // of the restart, at the first step
  state.out.add(std::move(left));
  now.steady = std::max(now.steady, state.now.steady);
  forgive_stall(state, now.steady);
  state.now = now;
  std::visit(Overloaded{
                 [&](const event::Submitted& submitted) {
                   Campaign& campaign = submit(state, submitted.experiment);
                   if (submitted.ends_pause) resume_campaign(state, campaign);
                 },
                 [&](const event::Received& message) { received(state, message); },
                 [&](const event::PeerLost& lost) {
                   lose_worker(state, lost.peer, lost.reason,
                               lost.unsent ? Departure::kUnsent : Departure::kDied);
                 },
                 [&](const event::Undeliverable& letter) { on_undeliverable(state, letter); },
                 [](const event::Ticked&) {},
                 [&](const event::StopRequested& request) { stop(state, request.reason); },
             },
             event);
  if (now.steady - state.last_scan >= state.options.heartbeat) scan_deadlines(state);
  make_some_trials(state);
  schedule(state);
  actions = std::exchange(state.out, {});
}

std::optional<SteadyTime> Core::next_deadline() const {
  const bool work_left = !state_->making.empty() || state_->seeking_cut;
  if (work_left && !state_->stopping) return state_->now.steady;
  return state_->last_scan + state_->options.heartbeat;
}

}  // namespace lrtune
