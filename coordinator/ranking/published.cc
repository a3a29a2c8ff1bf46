#include "coordinator/ranking/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/config/located_json.h"
#include "common/json_reader.h"
#include "common/policy/policy_json.h"

namespace lrtune {

// Made of experiments/published/policies.yaml by CMake.
extern const char* const kPublishedYaml;

namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 53;

Result<TrainingKeys> keys_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "train");
  TrainingKeys keys;
  keys.task = reader.required_string("task");
  keys.dataset = reader.required_string("dataset");
  keys.model = reader.required_string("model");
  keys.framework = reader.required_string("framework");
  keys.optimizer = reader.required_string("optimizer");
  keys.batch = reader.required_integer("batch", 1, kMost);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return keys;
}

Result<PublishedPolicy> policy_entry(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "policy");
  PublishedPolicy entry;
  const auto share = [&](const char* key) -> std::optional<double> {
    if (!reader.has(key)) return std::nullopt;
    return reader.required_number(key, Range::closed(0, 1));
  };
  const auto iteration = [&](const char* key) -> std::optional<std::int64_t> {
    if (!reader.has(key)) return std::nullopt;
    return reader.required_integer(key, 0, kMost);
  };
  entry.name = reader.required_string("name");
  entry.top1 = share("top1");
  entry.deviation = share("deviation");
  entry.top5 = share("top5");
  entry.at = iteration("at");
  entry.target = share("target");
  entry.target_iteration = iteration("target_iteration");
  entry.default_of = reader.string("default_of", "");
  entry.note = reader.string("note", "");
  const nlohmann::json* const policy = reader.required_raw("policy");
  if (auto error = reader.finish()) return tl::unexpected(*error);
  auto read = policy_from_json(*policy, {}, child_path(path, "policy"));
  if (!read) return tl::unexpected(read.error());
  entry.policy = *std::move(read);
  return entry;
}

Result<void> add_table(PublishedContent& content, const nlohmann::json& json,
                       const std::string& path) {
  ObjectReader reader(json, path, "table");
  const std::string source = reader.required_string("source");
  const std::int64_t iterations = reader.required_integer("iterations", 1, kMost);
  const std::string note = reader.string("note", "");
  const nlohmann::json* const train = reader.required_raw("train");
  const nlohmann::json* const policies = reader.required_raw("policies");
  if (auto error = reader.finish()) return tl::unexpected(*error);
  const auto keys = keys_from_json(*train, child_path(path, "train"));
  if (!keys) return tl::unexpected(keys.error());
  std::size_t index = 0;
  for (const nlohmann::json& one : *policies) {
    auto entry = policy_entry(one, fmt::format("{}/policies/{}", path, index++));
    if (!entry) return tl::unexpected(entry.error());
    entry->source = source;
    entry->keys = *keys;
    entry->iterations = iterations;
    if (entry->note.empty()) entry->note = note;
    content.policies.push_back(*std::move(entry));
  }
  return {};
}

Result<LrRange> range_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "range");
  LrRange range;
  range.dataset = reader.required_string("dataset");
  range.model = reader.required_string("model");
  range.optimizer = reader.required_string("optimizer");
  range.batch = reader.required_integer("batch", 1, kMost);
  range.low = reader.required_number("low", Range::at_least(0));
  range.high = reader.required_number("high", Range::at_least(0));
  range.found = reader.required_string("found");
  if (auto error = reader.finish()) return tl::unexpected(*error);
  if (range.low > range.high) return fail("low is above high", path);
  return range;
}

Result<PublishedContent> content_from_json(const nlohmann::json& json) {
  ObjectReader reader(json, "", "published policies");
  const nlohmann::json* const ranges = reader.required_raw("ranges");
  const nlohmann::json* const tables = reader.required_raw("tables");
  if (auto error = reader.finish()) return tl::unexpected(*error);
  PublishedContent content;
  std::size_t index = 0;
  for (const nlohmann::json& one : *ranges) {
    auto range = range_from_json(one, fmt::format("/ranges/{}", index++));
    if (!range) return tl::unexpected(range.error());
    content.ranges.push_back(*std::move(range));
  }
  index = 0;
  for (const nlohmann::json& one : *tables) {
    if (auto added = add_table(content, one, fmt::format("/tables/{}", index++)); !added)
      return tl::unexpected(added.error());
  }
  return content;
}

}  // namespace

Result<PublishedContent> published_from_yaml(const std::string& text, const std::string& file) {
  const auto located = located_json_from_yaml(text, file);
  if (!located) return tl::unexpected(located.error());
  auto content = content_from_json(located->json);
  if (!content) return tl::unexpected(located->located(content.error()));
  return content;
}

Result<PublishedContent> published_content() {
  return published_from_yaml(kPublishedYaml, "published/policies.yaml");
}

PublishedContent for_training(const PublishedContent& all, const TrainingKeys& wanted) {
  const auto fits = [](const std::string& name, const std::string& has) {
    return name.empty() || name == has;
  };
  const auto trains_it = [&](const auto& one) {
    return fits(wanted.dataset, one.dataset) && fits(wanted.model, one.model) &&
           fits(wanted.optimizer, one.optimizer) &&
           (wanted.batch == 0 || wanted.batch == one.batch);
  };
  PublishedContent kept;
  for (const PublishedPolicy& one : all.policies) {
    if (trains_it(one.keys) && fits(wanted.task, one.keys.task) &&
        fits(wanted.framework, one.keys.framework))
      kept.policies.push_back(one);
  }
  std::ranges::copy_if(all.ranges, std::back_inserter(kept.ranges), trains_it);
  return kept;
}

}  // namespace lrtune
