#include "common/wire/frequent.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "common/policy/parameters.h"
#include "common/policy/policy_json.h"
#include "common/wire/bodies.h"
#include "common/wire/pack.h"
#include "common/wire/structure.h"
#include "common/wire/utf8.h"

namespace lrtune::wire {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The last few values of a kind and their bytes.
template <typename Value>
class Known {
 public:
  const Bytes* bytes_of(const Value& value) const {
    const auto it = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& entry) { return entry.value == value; });
    return it == entries_.end() ? nullptr : &it->bytes;
  }
  // The value that the next bytes are, which are taken.
  const Value* take(PackReader& reader) const {
    for (const Entry& entry : entries_) {
      const auto rest = reader.rest();
      if (rest.size() < entry.bytes.size()) continue;
      if (!std::equal(entry.bytes.begin(), entry.bytes.end(), rest.begin())) continue;
      reader.skip(entry.bytes.size());
      return &entry.value;
    }
    return nullptr;
  }
  const Bytes& note(const Value& value, Bytes bytes) {
    constexpr std::size_t kMost = 8;
    if (entries_.size() == kMost) entries_.erase(entries_.begin());
    entries_.push_back({value, std::move(bytes)});
    return entries_.back().bytes;
  }

 private:
  struct Entry {
    Value value;
    Bytes bytes;
  };
  std::vector<Entry> entries_;
};

// Campaigns give thousands of assignments with the same identity and plan. What was written and
// what was read are kept apart: only what was read has passed its checks.
struct Documents {
  Known<TrainingIdentity> identities;
  Known<RunPlan> plans;
};

Documents& written() {
  thread_local Documents documents;
  return documents;
}

Documents& read_before() {
  thread_local Documents documents;
  return documents;
}

Bytes packed(const nlohmann::json& json) { return nlohmann::json::to_msgpack(json); }

// Null: it cannot be sent.
template <typename Value>
const Bytes* bytes_of(Known<Value>& known, const Value& value) {
  if (const Bytes* bytes = known.bytes_of(value)) return bytes;
  Bytes bytes = packed(to_json(value));
  if (!check_structure(bytes)) return nullptr;
  return &known.note(value, std::move(bytes));
}

// ---- writing; keys in the order of a JSON object's, which is the alphabet's

class BodyWriter : public PackWriter {
 public:
  BodyWriter(Bytes& bytes, std::string_view kind) : PackWriter(bytes) {
    array(2);
    text(kind);
  }
  void field(std::string_view key, std::int64_t value) {
    text(key);
    integer(value);
  }
  void field(std::string_view key, double value) {
    text(key);
    real(value);
  }
  void attempt(Attempt attempt) { field("attempt", attempt); }
  void job(JobId job) { field("job", job.value); }
};

bool append(const Heartbeat&, Bytes& bytes) {
  BodyWriter writer(bytes, kKind<Heartbeat>);
  writer.map(0);
  return true;
}

bool append(const Started& message, Bytes& bytes) {
  BodyWriter writer(bytes, kKind<Started>);
  writer.map(2);
  writer.attempt(message.attempt);
  writer.job(message.job);
  return true;
}

bool append(const Progress& message, Bytes& bytes) {
  BodyWriter writer(bytes, kKind<Progress>);
  writer.map(3);
  writer.attempt(message.attempt);
  writer.field("iteration", message.iteration);
  writer.job(message.job);
  return true;
}

bool append(const Acknowledge& message, Bytes& bytes) {
  BodyWriter writer(bytes, kKind<Acknowledge>);
  writer.map(3);
  writer.attempt(message.attempt);
  writer.job(message.job);
  writer.field("sequence", message.sequence);
  return true;
}

void put_metrics(BodyWriter& writer, const PartMetrics& metrics) {
  writer.map(metrics.confidence ? 4 : 3);
  if (const auto& confidence = metrics.confidence) {
    writer.text("confidence");
    writer.map(4);
    writer.field("class_deviation", confidence->class_deviation);
    writer.field("classes_left_out", std::int64_t{confidence->classes_left_out});
    writer.field("deviation", confidence->deviation);
    writer.field("mean", confidence->mean);
  }
  writer.field("loss", metrics.loss);
  writer.field("top1", metrics.top1);
  writer.field("top5", metrics.top5);
}

bool append(const Measured& message, Bytes& bytes) {
  const MetricPoint& point = message.point;
  if (!point.m_opt.empty()) return false;
  BodyWriter writer(bytes, kKind<Measured>);
  writer.map(4);
  writer.attempt(message.attempt);
  writer.job(message.job);
  writer.text("point");
  writer.map(7);
  writer.field("evaluate_seconds", point.evaluate_seconds);
  writer.text("evaluated");
  put_metrics(writer, point.evaluated);
  writer.field("iteration", point.iteration);
  writer.field("learning_rate", point.learning_rate);
  writer.text("state");
  writer.digest(point.state);
  writer.text("train");
  put_metrics(writer, point.train);
  writer.field("train_seconds", point.train_seconds);
  writer.field("sequence", message.sequence);
  return true;
}

bool append(const Finished& message, Bytes& bytes) {
  const Outcome& outcome = message.outcome;
  if (outcome.realised) return false;
  BodyWriter writer(bytes, kKind<Finished>);
  writer.map(4);
  writer.attempt(message.attempt);
  writer.job(message.job);
  writer.text("outcome");
  writer.map(4);
  writer.field("iteration", outcome.iteration);
  writer.text("kind");
  writer.text(name_of(outcome.kind));
  writer.text("message");
  writer.text(repaired_text(outcome.message, kMaxTextBytes));
  writer.text("state");
  writer.digest(outcome.state);
  writer.field("sequence", message.sequence);
  return true;
}

bool put_policy(BodyWriter& writer, const Policy& policy) {
  if (policy.segments.size() != 1) return false;
  const auto& [function, until, from_t] = policy.segments.front();
  const ParameterSet takes = parameters_of(function.kind);
  if (until != kNoEnd || from_t != 0 || takes.boundaries) return false;
  writer.map(2U + takes.gamma + takes.k1 + takes.l + takes.p);
  writer.text("function");
  writer.text(name_of(function.kind));
  if (takes.gamma) writer.field("gamma", function.gamma);
  writer.field("k0", function.k0);
  if (takes.k1) writer.field("k1", function.k1);
  if (takes.l) writer.field("l", function.l);
  if (takes.p) writer.field("p", function.p);
  return true;
}

bool append(const Assign& message, Bytes& bytes) {
  const Bytes* identity = bytes_of(written().identities, message.identity);
  const Bytes* plan = bytes_of(written().plans, message.plan);
  if (identity == nullptr || plan == nullptr) return false;
  BodyWriter writer(bytes, kKind<Assign>);
  writer.map(6);
  writer.attempt(message.attempt);
  writer.text("identity");
  writer.raw(*identity);
  writer.job(message.job);
  writer.text("plan");
  writer.raw(*plan);
  writer.text("policy");
  if (!put_policy(writer, message.policy)) {
    const Bytes policy = packed(to_json(message.policy));
    if (!check_structure(policy)) return false;
    writer.raw(policy);
  }
  writer.text("seed");
  writer.natural(message.seed);
  return true;
}

template <typename Message>
bool append(const Message&, Bytes&) {
  return false;
}

template <typename Variant>
bool append_one(const Variant& message, Bytes& bytes) {
  const std::size_t before = bytes.size();
  if (std::visit([&](const auto& one) { return append(one, bytes); }, message)) return true;
  bytes.resize(before);
  return false;
}

// ---- reading, in the same order

template <typename Message>
bool read_attempt(PackReader& reader, Message& message) {
  return reader.key("attempt") && reader.integer(message.attempt, 1) && reader.key("job") &&
         reader.integer(message.job.value, 1);
}

bool read(PackReader& reader, Heartbeat&) { return reader.map(0); }

bool read(PackReader& reader, Started& message) {
  return reader.map(2) && read_attempt(reader, message);
}

bool read(PackReader& reader, Progress& message) {
  return reader.map(3) && reader.key("attempt") && reader.integer(message.attempt, 1) &&
         reader.key("iteration") && reader.integer(message.iteration, 0) && reader.key("job") &&
         reader.integer(message.job.value, 1);
}

bool read(PackReader& reader, Acknowledge& message) {
  return reader.map(3) && read_attempt(reader, message) && reader.key("sequence") &&
         reader.integer(message.sequence, 1);
}

bool read(PackReader& reader, Finished& message) {
  Outcome& outcome = message.outcome;
  if (!reader.map(4) || !read_attempt(reader, message) || !reader.key("outcome") || !reader.map(4))
    return false;
  if (!reader.key("iteration") || !reader.integer(outcome.iteration, 0) || !reader.key("kind"))
    return false;
  const auto kind = reader.text();
  if (!kind || !reader.key("message")) return false;
  const auto known = outcome_kind_from_name(*kind);
  const auto text = reader.text();
  if (!known || !text || !is_utf8(*text)) return false;
  outcome.kind = *known;
  outcome.message = printable_text(*text);
  return reader.key("state") && reader.digest(outcome.state) && reader.key("sequence") &&
         reader.integer(message.sequence, 1);
}

// The checks of policy_from_json.
bool is_valid(const LrFunction& function) {
  constexpr std::int64_t kMostIterations = std::int64_t{1} << 53;
  const ParameterSet takes = parameters_of(function.kind);
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!finite(function.k0) || !finite(function.k1) || function.k0 < 0 || function.k1 < 0)
    return false;
  const bool sig = function.kind == LrFunctionKind::kSig;
  if (!finite(function.gamma) || (sig ? function.gamma == 0 : function.gamma <= 0)) return false;
  if (!finite(function.p) || function.p <= 0) return false;
  return !takes.l || (function.l >= (sig ? 0 : 1) && function.l <= kMostIterations);
}

std::optional<LrFunctionKind> kind_named(std::string_view name) {
  const auto all = all_lr_functions();
  const auto it = std::find_if(all.begin(), all.end(),
                               [&](LrFunctionKind kind) { return name_of(kind) == name; });
  return it == all.end() ? std::nullopt : std::optional(*it);
}

bool read_real(PackReader& reader, std::string_view key, double& value) {
  if (!reader.key(key) || !reader.real(value)) return false;
  value += 0.0;  // no -0.0, as policy_from_json does it
  return true;
}

bool read_policy(PackReader& reader, Policy& policy) {
  const auto keys = reader.map_of_any();
  if (!keys || !reader.key("function")) return false;
  const auto name = reader.text();
  const auto kind = name ? kind_named(*name) : std::nullopt;
  if (!kind) return false;
  const ParameterSet takes = parameters_of(*kind);
  if (takes.boundaries || *keys != 2U + takes.gamma + takes.k1 + takes.l + takes.p) return false;
  LrFunction function{.kind = *kind};
  if (takes.gamma && !read_real(reader, "gamma", function.gamma)) return false;
  if (!read_real(reader, "k0", function.k0)) return false;
  if (takes.k1 && !read_real(reader, "k1", function.k1)) return false;
  if (takes.l && !(reader.key("l") && reader.integer(function.l, 0))) return false;
  if (takes.p && !read_real(reader, "p", function.p)) return false;
  if (!is_valid(function)) return false;
  policy.segments = {Segment{.function = std::move(function)}};
  return true;
}

bool read(PackReader& reader, Assign& message) {
  if (!reader.map(6) || !reader.key("attempt") || !reader.integer(message.attempt, 1) ||
      !reader.key("identity"))
    return false;
  const TrainingIdentity* identity = read_before().identities.take(reader);
  if (identity == nullptr || !reader.key("job") || !reader.integer(message.job.value, 1) ||
      !reader.key("plan"))
    return false;
  const RunPlan* plan = read_before().plans.take(reader);
  if (plan == nullptr || !reader.key("policy") || !read_policy(reader, message.policy) ||
      !reader.key("seed") || !reader.natural(message.seed))
    return false;
  message.identity = *identity;
  message.plan = *plan;
  return true;
}

template <typename Message, typename Variant>
bool read_as(PackReader& reader, std::vector<Variant>& messages) {
  return read(reader, std::get<Message>(messages.emplace_back(std::in_place_type<Message>)));
}

bool read_kind(PackReader& reader, std::string_view kind, std::vector<FromCoordinator>& messages) {
  if (kind == kKind<Assign>) return read_as<Assign>(reader, messages);
  if (kind == kKind<Acknowledge>) return read_as<Acknowledge>(reader, messages);
  return kind == kKind<Heartbeat> && read_as<Heartbeat>(reader, messages);
}

bool read_kind(PackReader& reader, std::string_view kind, std::vector<ToCoordinator>& messages) {
  if (kind == kKind<Finished>) return read_as<Finished>(reader, messages);
  if (kind == kKind<Started>) return read_as<Started>(reader, messages);
  if (kind == kKind<Progress>) return read_as<Progress>(reader, messages);
  return kind == kKind<Heartbeat> && read_as<Heartbeat>(reader, messages);
}

template <typename Variant>
bool read_all(std::span<const std::uint8_t> frame, std::size_t count,
              std::vector<Variant>& messages) {
  PackReader reader(frame);
  for (std::size_t i = 0; i < count; ++i) {
    if (!reader.array(2)) return false;
    const auto kind = reader.text();
    if (!kind || !read_kind(reader, *kind, messages)) return false;
  }
  return reader.rest().empty();
}

}  // namespace

bool append_frequent(const FromCoordinator& message, std::vector<std::uint8_t>& bytes) {
  return append_one(message, bytes);
}

bool append_frequent(const ToCoordinator& message, std::vector<std::uint8_t>& bytes) {
  return append_one(message, bytes);
}

bool read_frequent(std::span<const std::uint8_t> frame, std::size_t count,
                   std::vector<FromCoordinator>& messages) {
  return read_all(frame, count, messages);
}

bool read_frequent(std::span<const std::uint8_t> frame, std::size_t count,
                   std::vector<ToCoordinator>& messages) {
  return read_all(frame, count, messages);
}

void note_documents(const std::vector<FromCoordinator>& messages) {
  Documents& documents = read_before();
  for (const FromCoordinator& message : messages) {
    const auto* assign = std::get_if<Assign>(&message);
    if (assign == nullptr) continue;
    if (documents.identities.bytes_of(assign->identity) == nullptr)
      documents.identities.note(assign->identity, packed(to_json(assign->identity)));
    if (documents.plans.bytes_of(assign->plan) == nullptr)
      documents.plans.note(assign->plan, packed(to_json(assign->plan)));
  }
}

}  // namespace lrtune::wire
