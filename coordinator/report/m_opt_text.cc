#include "coordinator/report/m_opt_text.h"

#include <fmt/format.h>

#include "common/policy/policy_json.h"
#include "common/policy/policy_yaml.h"
#include "coordinator/tuning/m_opt.h"

namespace lrtune {

nlohmann::json m_opt_json(std::span<const MoptValue> series) {
  nlohmann::json json = {
      {"agreement", nullptr}, {"recommended", nullptr}, {"values", nlohmann::json::array()}};
  if (const auto found = agreement(series)) {
    json["agreement"] = {{"values", found->values},
                         {"without", found->without},
                         {"mean_log10", found->mean_log10},
                         {"median_ratio", found->median_ratio}};
  }
  if (const auto policy = recommended(series)) json["recommended"] = to_json(*policy);
  for (const MoptValue& value : series) {
    nlohmann::json entry = {value.iteration, value.learning_rate, nullptr};
    if (value.m_opt) entry.back() = *value.m_opt;
    json["values"].push_back(std::move(entry));
  }
  return json;
}

std::string m_opt_words(std::span<const MoptValue> series) {
  const auto found = agreement(series);
  if (!found) return fmt::format("M-opt: none of {} windows has a value\n", series.size());
  std::string words = fmt::format(
      "M-opt: {} values ({} windows without); |log10(applied / M-opt)| is {:.3f} in the mean, "
      "applied / M-opt {:.3g} in the median\n",
      found->values, found->without, found->mean_log10, found->median_ratio);
  if (const auto policy = recommended(series))
    words += "M-opt recommends instead:\n" + policy_to_yaml(*policy, 2);
  return words;
}

}  // namespace lrtune
