#include "tests/unit/scripted_peer.h"

#include <utility>

#include "common/state_name.h"

namespace lrtune {

ScriptedPeer::ScriptedPeer(const std::string& endpoint, std::string name)
    : socket_(wire::DealerSocket::connect(endpoint).value()), name_(std::move(name)) {
  hello();
}

void ScriptedPeer::hello() {
  wire::Hello hello;
  hello.worker = name_;
  hello.process = name_ + "-process";
  hello.numerics = {"scripted 1", "cpu", "DEFAULT", 1, "channels_last"};
  for (const auto& [job, attempt] : held_) hello.held.push_back({job, attempt});
  send(hello);
}

void ScriptedPeer::send(const wire::ToCoordinator& message) {
  const std::vector<wire::ToCoordinator> messages{message};
  const auto encoded = wire::encode(messages);
  for (const wire::Frame& frame : encoded.value()) unsent_.push_back(frame);
}

void ScriptedPeer::send_bytes(const wire::Frame& frame) { unsent_.push_back(frame); }

void ScriptedPeer::pump() {
  if (!left) send(wire::Heartbeat{});
  while (auto frame = socket_.receive()) {
    const auto messages = wire::decode_from_coordinator(*frame);
    for (const wire::FromCoordinator& message : messages.value()) answer(message);
  }
  while (!unsent_.empty() && socket_.send(unsent_.front())) unsent_.erase(unsent_.begin());
}

void ScriptedPeer::answer(const wire::FromCoordinator& message) {
  if (const auto* survey = std::get_if<wire::Survey>(&message)) {
    DataFacts facts{sha256("data"), 900, 100, 100, 10};
    send(wire::Surveyed{survey->survey, facts, ""});
  } else if (const auto* assign = std::get_if<wire::Assign>(&message)) {
    assigned.push_back(*assign);
    if (held_.insert({assign->job, assign->attempt}).second) run(*assign);
  } else if (const auto* acknowledge = std::get_if<wire::Acknowledge>(&message)) {
    auto& reports = unacknowledged_[acknowledge->job];
    if (static_cast<std::size_t>(acknowledge->sequence) < reports.size()) return;
    acknowledged += held_.erase(acknowledge->job) > 0 ? 1 : 0;
    reports.clear();
  } else if (const auto* rejection = std::get_if<wire::Rejected>(&message)) {
    rejected.push_back(rejection->reason);
  } else if (std::holds_alternative<wire::Introduce>(message)) {
    hello();
    for (const auto& [job, reports] : unacknowledged_) {
      for (const auto& report : reports) send(report);
    }
  } else if (const auto* cancel = std::get_if<wire::Cancel>(&message)) {
    held_.erase(cancel->job);
    unacknowledged_.erase(cancel->job);
  } else if (std::holds_alternative<wire::Shutdown>(message)) {
    if (!std::exchange(left, true)) send(wire::Goodbye{});
  }
}

void ScriptedPeer::run(const wire::Assign& assignment) {
  send(wire::Started{assignment.job, assignment.attempt});
  if (!finishes) return;
  auto& reports = unacknowledged_[assignment.job];
  reports.clear();
  const Digest start = initial_state(assignment.identity.hash(), assignment.seed);
  const std::int64_t every = assignment.plan.evaluate_every;
  for (std::int64_t t = 0; t <= assignment.plan.iterations; t += every) {
    MetricPoint point;
    point.iteration = t;
    point.state = state_after(start, assignment.policy, 0, t);
    point.learning_rate = learning_rate(assignment.policy, t);
    point.evaluated = {0.5, learning_rate(assignment.policy, t), 1};
    const auto sequence = static_cast<std::int64_t>(reports.size()) + 1;
    reports.push_back(wire::Measured{assignment.job, assignment.attempt, sequence, point});
  }
  Outcome outcome{OutcomeKind::kCompleted, assignment.plan.iterations,
                  state_after(start, assignment.policy, 0, assignment.plan.iterations), ""};
  const auto sequence = static_cast<std::int64_t>(reports.size()) + 1;
  reports.push_back(wire::Finished{assignment.job, assignment.attempt, sequence, outcome});
  for (const auto& report : reports) send(report);
}

}  // namespace lrtune
