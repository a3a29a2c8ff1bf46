#include "common/policy/policy_json.h"
#include "common/wire/bodies.h"
#include "common/wire/utf8.h"

namespace lrtune::wire {
namespace {

using nlohmann::json;

std::string shown(const std::string& text) { return repaired_text(text, kMaxTextBytes); }

json binary(const Digest& digest) {
  return json::binary({digest.bytes.begin(), digest.bytes.end()});
}

json body_of_metrics(const PartMetrics& metrics) {
  json body = {{"loss", metrics.loss}, {"top1", metrics.top1}, {"top5", metrics.top5}};
  if (const auto& confidence = metrics.confidence) {
    body["confidence"] = {{"mean", confidence->mean},
                          {"deviation", confidence->deviation},
                          {"class_deviation", confidence->class_deviation},
                          {"classes_left_out", confidence->classes_left_out}};
  }
  return body;
}

// [iteration, rate, value or nil] each.
json body_of_m_opt(const std::vector<MoptValue>& values) {
  json list = json::array();
  for (const MoptValue& value : values) {
    json entry = {value.iteration, value.learning_rate, nullptr};
    if (value.m_opt) entry.back() = *value.m_opt;
    list.push_back(std::move(entry));
  }
  return list;
}

json body_of_point(const MetricPoint& point) {
  json body = {{"iteration", point.iteration},
               {"state", binary(point.state)},
               {"learning_rate", point.learning_rate},
               {"train", body_of_metrics(point.train)},
               {"evaluated", body_of_metrics(point.evaluated)},
               {"train_seconds", point.train_seconds},
               {"evaluate_seconds", point.evaluate_seconds}};
  if (!point.m_opt.empty()) body["m_opt"] = body_of_m_opt(point.m_opt);
  return body;
}

json body_of_outcome(const Outcome& outcome) {
  json body = {{"kind", name_of(outcome.kind)},
               {"iteration", outcome.iteration},
               {"state", binary(outcome.state)},
               {"message", shown(outcome.message)}};
  if (outcome.realised) body["realised"] = to_json(*outcome.realised);
  return body;
}

// The keys that every message about an attempt has.
json attempt_body(JobId job, Attempt attempt) { return {{"job", job.value}, {"attempt", attempt}}; }

}  // namespace

json body_of(const Hello& message) {
  json held = json::array();
  for (const HeldAttempt& attempt : message.held) {
    held.push_back(json::array({attempt.job.value, attempt.attempt}));
  }
  return {{"worker", repaired_text(message.worker, kMaxNameBytes)},
          {"process", repaired_text(message.process, kMaxNameBytes)},
          {"slots", message.slots},
          {"numerics", to_json(message.numerics)},
          {"held", std::move(held)}};
}

json body_of(const Heartbeat&) { return json::object(); }
json body_of(const Goodbye&) { return json::object(); }
json body_of(const Introduce&) { return json::object(); }

json body_of(const Surveyed& message) {
  json body = {{"survey", message.survey}};
  if (message.facts) {
    body["facts"] = to_json(*message.facts);
  } else {
    body["error"] = shown(message.error);
  }
  return body;
}

json body_of(const Started& message) { return attempt_body(message.job, message.attempt); }

json body_of(const Progress& message) {
  json body = attempt_body(message.job, message.attempt);
  body["iteration"] = message.iteration;
  return body;
}

json body_of(const Measured& message) {
  json body = attempt_body(message.job, message.attempt);
  body["sequence"] = message.sequence;
  body["point"] = body_of_point(message.point);
  return body;
}

json body_of(const Finished& message) {
  json body = attempt_body(message.job, message.attempt);
  body["sequence"] = message.sequence;
  body["outcome"] = body_of_outcome(message.outcome);
  return body;
}

json body_of(const Refused& message) {
  json body = attempt_body(message.job, message.attempt);
  body["reason"] = shown(message.reason);
  return body;
}

json body_of(const Welcome& message) {
  return {{"incarnation", shown(message.incarnation)},
          {"heartbeat_ms", message.heartbeat_ms},
          {"lease_ms", message.lease_ms},
          {"progress_ms", message.progress_ms}};
}

json body_of(const Rejected& message) { return {{"reason", shown(message.reason)}}; }

json body_of(const Survey& message) {
  return {{"survey", message.survey}, {"train", to_json(message.train)}};
}

json body_of(const Assign& message) {
  json body = attempt_body(message.job, message.attempt);
  body["identity"] = to_json(message.identity);
  body["policy"] = to_json(message.policy);
  body["seed"] = message.seed;
  body["plan"] = to_json(message.plan);
  return body;
}

json body_of(const Acknowledge& message) {
  json body = attempt_body(message.job, message.attempt);
  body["sequence"] = message.sequence;
  return body;
}

json body_of(const Cancel& message) {
  json body = attempt_body(message.job, message.attempt);
  body["reason"] = shown(message.reason);
  return body;
}

json body_of(const Shutdown& message) { return {{"reason", shown(message.reason)}}; }

}  // namespace lrtune::wire
