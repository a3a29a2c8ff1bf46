#include "worker/core/worker_core.h"

#include <algorithm>
#include <type_traits>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

// Overloads for std::visit.
template <typename... Handlers>
struct Match : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Match(Handlers...) -> Match<Handlers...>;  // clang 14 does not deduce it

void on_survey(WorkerState& state, const wire::Survey& message) {
  if (state.leaving || !state.surveys.insert(message.survey).second) return;
  if (state.surveys.size() == 1) state.survey_sign_at = state.now;
  state.emit(worker_action::StartSurvey{message.survey, message.train});
}

// Not repeated if it is lost: a coordinator that still wants to know asks again.
void on_survey_done(WorkerState& state, const worker_event::SurveyDone& event) {
  state.surveys.erase(event.survey);
  state.survey_sign_at = state.now;
  wire::Surveyed answer{event.survey, std::nullopt, {}};
  if (event.facts) {
    answer.facts = *event.facts;
  } else {
    answer.error = event.facts.error().message;
  }
  state.send(std::move(answer));
}

void on_received(WorkerState& state, const wire::FromCoordinator& message) {
  state.last_heard = state.now;
  std::visit(Match{[&](const wire::Welcome& m) { on_welcome(state, m); },
                   [&](const wire::Introduce&) { on_introduce(state); },
                   [&](const wire::Rejected& m) { on_rejected(state, m); },
                   [](const wire::Heartbeat&) {},  // only proves that the coordinator lives
                   [&](const wire::Survey& m) { on_survey(state, m); },
                   [&](const wire::Assign& m) { on_assign(state, m); },
                   [&](const wire::Acknowledge& m) { on_acknowledge(state, m); },
                   [&](const wire::Cancel& m) { on_cancel(state, m); },
                   [&](const wire::Shutdown& m) { begin_leaving(state, m.reason); },
                   [](const wire::Answer&) {}},  // for clients
             message);
}

}  // namespace

WorkerState::WorkerState(WorkerOptions the_options, WorkerTime the_now)
    : options(std::move(the_options)),
      now(the_now),
      born(the_now),
      next_hello(the_now),
      last_heard(the_now),
      slots(static_cast<std::size_t>(std::max(options.slots, 1))),
      looked_at(the_now) {}

void WorkerState::send(wire::ToCoordinator message) {
  actions.push_back(worker_action::Send{std::move(message)});
}

Slot* WorkerState::slot_of(const AttemptKey& key) {
  const auto it = std::find_if(slots.begin(), slots.end(),
                               [&](const Slot& slot) { return slot.running == key; });
  return it == slots.end() ? nullptr : &*it;
}

struct WorkerCore::State : WorkerState {
  using WorkerState::WorkerState;
};

WorkerCore::WorkerCore(WorkerOptions options, WorkerTime now)
    : state_(std::make_unique<State>(std::move(options), now)) {}
WorkerCore::~WorkerCore() = default;
WorkerCore::WorkerCore(WorkerCore&&) noexcept = default;
WorkerCore& WorkerCore::operator=(WorkerCore&&) noexcept = default;

std::vector<WorkerAction> WorkerCore::step(const WorkerEvent& event, WorkerTime now) {
  WorkerState& state = *state_;
  if (state.session == Session::kOver) return {};
  state.now = std::max(state.now, now);
  std::visit(Match{[&](const worker_event::Received& e) { on_received(state, e.message); },
                   [&](const worker_event::SurveyDone& e) { on_survey_done(state, e); },
                   [&](const worker_event::JobStarted& e) { on_job_started(state, e); },
                   [&](const worker_event::JobProgressed& e) { on_job_progressed(state, e); },
                   [&](const worker_event::JobMeasured& e) { on_job_measured(state, e); },
                   [&](const worker_event::JobFinished& e) { on_job_finished(state, e); },
                   [&](const worker_event::JobRefused& e) { on_job_refused(state, e); },
                   [&](const worker_event::DeviceBroken& e) {
                     begin_leaving(state, e.reason, kExitDeviceBroken);
                   },
                   [&](const worker_event::Connected&) { on_connected(state); },
                   [](const worker_event::Ticked&) {},
                   [&](const worker_event::StopRequested& e) {
                     e.at_once ? leave_at_once(state, e.reason) : begin_leaving(state, e.reason);
                   }},
             event);
  if (state.session != Session::kOver) keep_watch(state);
  if (state.session != Session::kOver) keep_session(state);
  send_due_reports(state);
  leave_if_done(state);
  return std::exchange(state.actions, {});
}

std::optional<WorkerTime> WorkerCore::next_deadline() const {
  auto deadline = session_deadline(*state_);
  if (state_->session == Session::kOver) return deadline;
  for (const auto other : {reports_deadline(*state_), watch_deadline(*state_)}) {
    if (!deadline || (other && *other < *deadline)) deadline = other;
  }
  return deadline;
}

bool WorkerCore::has_waiting() const { return !state_->waiting.empty(); }

void WorkerCore::check_invariants() const { check_worker_invariants(*state_); }

}  // namespace lrtune
