// The bodies of what clients ask and are answered.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "common/wire/bodies.h"
#include "common/wire/utf8.h"

namespace lrtune::wire {
namespace {

using nlohmann::json;

constexpr double kMostEpochs = 1e9;
constexpr std::int64_t kMostPriority = 1'000'000;

std::string shown(const std::string& text) { return repaired_text(text, kMaxTextBytes); }

template <typename Enum>
void read_name(BodyReader& reader, const char* key, int count, Enum& value) {
  const std::string name = reader.text(key);
  std::vector<std::string_view> names;
  for (int i = 0; i < count; ++i) {
    names.push_back(name_of(static_cast<Enum>(i)));
    if (names.back() != name) continue;
    value = static_cast<Enum>(i);
    return;
  }
  reader.error(key, fmt::format("must be one of {}", fmt::join(names, ", ")));
}

Result<FlatJson> flat_numbers(const json& numbers) {
  if (!numbers.is_object()) return fail("must be a map");
  for (const auto& [key, value] : numbers.items()) {
    if (value.is_structured() || value.is_binary())
      return fail(fmt::format("must be flat: {} is neither a text nor a number", key));
    // They are shown to people.
    if (!is_printable(key) || (value.is_string() && !is_printable(value.get<std::string>())))
      return fail("must have no control characters");
  }
  FlatJson flat(numbers);
  if (!flat.finite()) return fail("its numbers must be finite");
  if (flat.text().size() > kMaxJudgementBytes)
    return fail(fmt::format("must have at most {} bytes as JSON", kMaxJudgementBytes));
  return flat;
}

}  // namespace

json body_of(const Submit& message) {
  json body = {{"request", message.request},
               {"file", shown(message.file)},
               {"experiment", message.experiment},
               {"device", shown(message.device)}};
  if (message.priority) body["priority"] = *message.priority;
  return body;
}

json body_of(const Order& message) {
  return {{"request", message.request},
          {"order", name_of(message.kind)},
          {"target", shown(message.target)},
          {"reason", shown(message.reason)}};
}

json body_of(const Extend& message) {
  return {{"request", message.request},       {"campaign", shown(message.campaign)},
          {"iterations", message.iterations}, {"epochs", message.epochs},
          {"count", message.count},           {"policies", message.policies}};
}

json body_of(const Judge& message) {
  return {{"request", message.request},
          {"trial", message.trial.value},
          {"judgement", name_of(message.kind)},
          {"numbers", message.numbers.json()}};
}

json body_of(const Inspect& message) {
  return {{"request", message.request},
          {"what", name_of(message.kind)},
          {"target", shown(message.target)},
          {"after", shown(message.after)}};
}

json body_of(const Answer& message) {
  json body = {{"request", message.request}};
  if (message.error.empty()) {
    body["document"] = message.document;
  } else {
    body["error"] = shown(message.error);
  }
  return body;
}

void read_body(BodyReader& reader, Submit& message) {
  message.request = reader.integer("request", 0);
  message.file = reader.words("file");
  message.experiment = reader.text("experiment", kMaxExperimentBytes);
  message.device = reader.text("device");
  message.priority = reader.optional_integer("priority", -kMostPriority, kMostPriority);
}

void read_body(BodyReader& reader, Order& message) {
  message.request = reader.integer("request", 0);
  read_name(reader, "order", kOrderKinds, message.kind);
  message.target = reader.text("target");
  message.reason = reader.words("reason");
}

void read_body(BodyReader& reader, Extend& message) {
  message.request = reader.integer("request", 0);
  message.campaign = reader.text("campaign");
  message.iterations = reader.integer("iterations", 0);
  message.epochs = reader.real("epochs", 0, kMostEpochs);
  message.count = reader.integer("count", 0);
  message.policies = reader.text("policies", kMaxExperimentBytes);
}

void read_body(BodyReader& reader, Judge& message) {
  message.request = reader.integer("request", 0);
  message.trial.value = reader.integer("trial", 1);
  read_name(reader, "judgement", kJudgementKinds, message.kind);
  reader.document("numbers", message.numbers, flat_numbers);
}

void read_body(BodyReader& reader, Inspect& message) {
  message.request = reader.integer("request", 0);
  read_name(reader, "what", kInspectKinds, message.kind);
  message.target = reader.text("target");
  message.after = reader.text("after");
}

void read_body(BodyReader& reader, Answer& message) {
  message.request = reader.integer("request", 0);
  message.document = json::object();
  if (const json* document = reader.optional_value("document")) {
    if (!document->is_object()) return reader.error("document", "must be a map");
    message.document = *document;
  } else {
    message.error = reader.words("error");
    if (message.error.empty()) reader.error("error", "must not be empty");
  }
}

}  // namespace lrtune::wire
