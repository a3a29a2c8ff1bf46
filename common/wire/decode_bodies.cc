#include "common/policy/policy_json.h"
#include "common/wire/bodies.h"
#include "common/wire/utf8.h"

namespace lrtune::wire {
namespace {

using nlohmann::json;

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr double kLongestSeconds = 1e12;
constexpr int kMaxSlots = 4096;

template <typename Message>
void read_attempt(BodyReader& reader, Message& message) {
  message.job.value = reader.integer("job", 1);
  message.attempt = reader.integer("attempt", 1);
}

// Carries a nested reader's first error to the body that it stands in.
void pass_on(BodyReader& outer, const char* key, BodyReader& inner) {
  if (auto error = inner.finish()) outer.error(key, error->message);
}

void read_confidence(BodyReader& outer, PartMetrics& metrics) {
  const json* value = outer.optional_value("confidence");
  if (value == nullptr) return;
  BodyReader reader(*value, "confidence");
  Confidence& confidence = metrics.confidence.emplace();
  confidence.mean = reader.real("mean", 0, 1);
  confidence.deviation = reader.real("deviation", 0, 1);
  confidence.class_deviation = reader.real("class_deviation", 0, 1);
  confidence.classes_left_out =
      static_cast<int>(reader.integer("classes_left_out", 0, std::numeric_limits<int>::max()));
  pass_on(outer, "confidence", reader);
}

void read_metrics(BodyReader& outer, const char* key, PartMetrics& metrics) {
  const json* value = outer.value(key);
  if (value == nullptr) return;
  BodyReader reader(*value, key);
  metrics.loss = reader.real("loss");
  metrics.top1 = reader.real("top1", 0, 1);
  metrics.top5 = reader.real("top5", 0, 1);
  read_confidence(reader, metrics);
  pass_on(outer, key, reader);
}

bool is_m_opt(const json& entry) {
  return entry.is_array() && entry.size() == 3 && entry[0].is_number_integer() &&
         entry[0].get<std::int64_t>() >= 0 && entry[1].is_number() &&
         (entry[2].is_null() || entry[2].is_number());
}

void read_m_opt(BodyReader& outer, MetricPoint& point) {
  const json* list = outer.optional_value("m_opt");
  if (list == nullptr) return;
  if (!list->is_array() || std::ssize(*list) > kMostMoptValues)
    return outer.error("m_opt", "must be a list of at most 500 values");
  for (const json& entry : *list) {
    if (!is_m_opt(entry)) return outer.error("m_opt", "must hold [iteration, rate, value or nil]");
    MoptValue& value = point.m_opt.emplace_back();
    value.iteration = entry[0].get<std::int64_t>();
    value.learning_rate = entry[1].get<double>();
    if (!entry[2].is_null()) value.m_opt = entry[2].get<double>();
    const bool ascends =
        point.m_opt.size() < 2 || (point.m_opt.end() - 2)->iteration < value.iteration;
    if (!ascends || value.iteration > point.iteration)
      return outer.error("m_opt", "must ascend to the point's iteration");
  }
}

void read_point(BodyReader& outer, MetricPoint& point) {
  const json* value = outer.value("point");
  if (value == nullptr) return;
  BodyReader reader(*value, "point");
  point.iteration = reader.integer("iteration", 0);
  point.state = reader.digest("state");
  point.learning_rate = reader.real("learning_rate");
  read_metrics(reader, "train", point.train);
  read_metrics(reader, "evaluated", point.evaluated);
  point.train_seconds = reader.real("train_seconds", 0, kLongestSeconds);
  point.evaluate_seconds = reader.real("evaluate_seconds", 0, kLongestSeconds);
  read_m_opt(reader, point);
  pass_on(outer, "point", reader);
}

void read_realised(BodyReader& reader, Outcome& outcome) {
  const json* value = reader.optional_value("realised");
  if (value == nullptr) return;
  auto policy = policy_from_json(*value, PolicyContext{});
  if (!policy) return reader.error("realised", policy.error().path + ": " + policy.error().message);
  if (policy->reactive()) return reader.error("realised", "must not be reactive");
  outcome.realised = *std::move(policy);
}

void read_outcome(BodyReader& outer, Outcome& outcome) {
  const json* value = outer.value("outcome");
  if (value == nullptr) return;
  BodyReader reader(*value, "outcome");
  if (const auto kind = outcome_kind_from_name(reader.text("kind"))) {
    outcome.kind = *kind;
  } else {
    reader.error("kind", kind.error().message);
  }
  outcome.iteration = reader.integer("iteration", 0);
  outcome.state = reader.digest("state");
  outcome.message = reader.words("message");
  read_realised(reader, outcome);
  pass_on(outer, "outcome", reader);
}

void read_held(BodyReader& reader, std::vector<HeldAttempt>& held) {
  const json* list = reader.value("held");
  if (list == nullptr) return;
  if (!list->is_array()) return reader.error("held", "must be a list");
  for (const json& pair : *list) {
    if (!pair.is_array() || pair.size() != 2)
      return reader.error("held", "must hold [job, attempt]");
    const json named = {{"job", pair[0]}, {"attempt", pair[1]}};
    BodyReader inner(named, "held");
    read_attempt(inner, held.emplace_back());
    pass_on(reader, "held", inner);
  }
}

// Stands in tables and logs.
void read_name(BodyReader& reader, const char* key, std::string& name) {
  name = reader.text(key, kMaxNameBytes);
  if (auto good = check_worker_name(name); !good) reader.error(key, good.error().message);
}

}  // namespace

void read_body(BodyReader& reader, Hello& message) {
  read_name(reader, "worker", message.worker);
  read_name(reader, "process", message.process);
  message.slots = static_cast<int>(reader.integer("slots", 1, kMaxSlots));
  reader.document("numerics", message.numerics,
                  [](const json& j) { return numerics_from_json(j); });
  if (!is_printable(message.numerics.backend) || !is_printable(message.numerics.instruction_set))
    reader.error("numerics", "must have no control characters");
  read_held(reader, message.held);
}

void read_body(BodyReader&, Heartbeat&) {}
void read_body(BodyReader&, Goodbye&) {}
void read_body(BodyReader&, Introduce&) {}

void read_body(BodyReader& reader, Surveyed& message) {
  message.survey = reader.integer("survey", 0);
  if (const json* facts = reader.optional_value("facts")) {
    auto read = data_facts_from_json(*facts);
    if (!read) return reader.error("facts", read.error().path + ": " + read.error().message);
    message.facts = *read;
  } else {
    message.error = reader.words("error");
  }
}

void read_body(BodyReader& reader, Started& message) { read_attempt(reader, message); }

void read_body(BodyReader& reader, Progress& message) {
  read_attempt(reader, message);
  message.iteration = reader.integer("iteration", 0);
}

void read_body(BodyReader& reader, Measured& message) {
  read_attempt(reader, message);
  message.sequence = reader.integer("sequence", 1);
  read_point(reader, message.point);
}

void read_body(BodyReader& reader, Finished& message) {
  read_attempt(reader, message);
  message.sequence = reader.integer("sequence", 1);
  read_outcome(reader, message.outcome);
}

void read_body(BodyReader& reader, Refused& message) {
  read_attempt(reader, message);
  message.reason = reader.words("reason");
}

void read_body(BodyReader& reader, Welcome& message) {
  message.incarnation = reader.text("incarnation");
  message.heartbeat_ms = reader.integer("heartbeat_ms", 1, kDayMs);
  message.lease_ms = reader.integer("lease_ms", 1, kDayMs);
  message.progress_ms = reader.integer("progress_ms", 1, kDayMs);
}

void read_body(BodyReader& reader, Rejected& message) { message.reason = reader.words("reason"); }

void read_body(BodyReader& reader, Survey& message) {
  message.survey = reader.integer("survey", 0);
  reader.document("train", message.train, [](const json& j) { return train_spec_from_json(j); });
}

void read_body(BodyReader& reader, Assign& message) {
  read_attempt(reader, message);
  reader.document("identity", message.identity,
                  [](const json& j) { return training_identity_from_json(j); });
  reader.document("policy", message.policy,
                  [](const json& j) { return policy_from_json(j, PolicyContext{}); });
  message.seed = reader.unsigned_integer("seed");
  reader.document("plan", message.plan, [](const json& j) { return run_plan_from_json(j); });
}

void read_body(BodyReader& reader, Acknowledge& message) {
  read_attempt(reader, message);
  message.sequence = reader.integer("sequence", 1);
}

void read_body(BodyReader& reader, Cancel& message) {
  read_attempt(reader, message);
  message.reason = reader.words("reason");
}

void read_body(BodyReader& reader, Shutdown& message) { message.reason = reader.words("reason"); }

}  // namespace lrtune::wire
