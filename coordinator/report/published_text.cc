#include "coordinator/report/published_text.h"

#include <fmt/format.h>

#include "common/policy/policy_json.h"
#include "coordinator/report/text_table.h"

namespace lrtune {
namespace {

template <typename Value>
nlohmann::json value_or_null(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

std::string top1_of(const PublishedPolicy& one) {
  if (!one.top1) return "-";
  std::string text = fmt::format("{:.4f}", *one.top1);
  if (one.deviation) text += fmt::format(" ± {:.4f}", *one.deviation);
  return text;
}

std::string target_of(const PublishedPolicy& one) {
  return one.target ? fmt::format("{} to {}", *one.target_iteration, *one.target) : "-";
}

nlohmann::json to_json(const PublishedPolicy& one) {
  return {{"published", true},
          {"source", one.source},
          {"train",
           {{"task", one.keys.task},
            {"dataset", one.keys.dataset},
            {"model", one.keys.model},
            {"framework", one.keys.framework},
            {"optimizer", one.keys.optimizer},
            {"batch", one.keys.batch}}},
          {"iterations", one.iterations},
          {"name", one.name},
          {"policy", to_json(one.policy)},
          {"top1", value_or_null(one.top1)},
          {"deviation", value_or_null(one.deviation)},
          {"top5", value_or_null(one.top5)},
          {"at", value_or_null(one.at)},
          {"target", value_or_null(one.target)},
          {"target_iteration", value_or_null(one.target_iteration)},
          {"default_of", one.default_of},
          {"note", one.note}};
}

}  // namespace

std::string published_text(const PublishedContent& content, const Terminal& terminal) {
  TextTable table({{"source", Align::kLeft},
                   {"policy", Align::kLeft, true},
                   {"trained", Align::kLeft},
                   {"top-1", Align::kRight},
                   {"at", Align::kRight},
                   {"to target", Align::kRight},
                   {"default of", Align::kLeft}});
  for (const PublishedPolicy& one : content.policies) {
    table.add_row(
        {one.source, describe(one.policy),
         fmt::format("{} on {}, {}", one.keys.model, one.keys.dataset, one.keys.optimizer),
         top1_of(one), one.at ? fmt::to_string(*one.at) : "-", target_of(one), one.default_of});
  }
  std::string text = "Published by Wu & Liu, not measured:\n" + table.text(terminal);
  for (const LrRange& range : content.ranges) {
    text += fmt::format("good rates of {} on {}, {}, batch {}: {} to {} ({})\n", range.model,
                        range.dataset, range.optimizer, range.batch, range.low, range.high,
                        range.found);
  }
  return text;
}

nlohmann::json published_json(const PublishedContent& content) {
  nlohmann::json json = {{"policies", nlohmann::json::array()},
                         {"ranges", nlohmann::json::array()}};
  for (const PublishedPolicy& one : content.policies) json["policies"].push_back(to_json(one));
  for (const LrRange& range : content.ranges) {
    json["ranges"].push_back({{"dataset", range.dataset},
                              {"model", range.model},
                              {"optimizer", range.optimizer},
                              {"batch", range.batch},
                              {"low", range.low},
                              {"high", range.high},
                              {"found", range.found}});
  }
  return json;
}

}  // namespace lrtune
