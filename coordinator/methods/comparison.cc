#include "coordinator/methods/comparison.h"

#include <fmt/format.h>

#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/tuning/settled_order.h"

namespace lrtune {
namespace {

using nlohmann::json;

double value_of(const Scores& scores, Measure measure, RankAt at) {
  if (at == RankAt::kFinal)
    return measure == Measure::kTop1 ? scores.final.evaluated.top1 : scores.final.evaluated.loss;
  return measure == Measure::kTop1 ? scores.best.evaluated.top1 : scores.lowest_loss.evaluated.loss;
}

}  // namespace

Result<void> check_not_extended(const CampaignRecord& campaign) {
  if (campaign.extensions == 0) return {};
  return fail(fmt::format(
      "campaign {} ({}) was extended: its runs are no more those that this command makes; give the "
      "experiment another name",
      campaign.id.value, campaign.name));
}

std::vector<double> repeated_values(const PolicyResult& result, Measure measure, RankAt at) {
  std::vector<double> values;
  for (const TrialResult& repeat : result.repeats) {
    if (repeat.scores.ended_well) values.push_back(value_of(repeat.scores, measure, at));
  }
  return values;
}

json outcome_json(const PolicyResult& result, const CampaignResults& results) {
  json one = to_json(result.search.scores, results.at);
  one["policy"] = to_json(result.search.trial.policy);
  one["description"] = describe(result.search.trial.policy);
  if (!result.name.empty()) one["name"] = result.name;
  one["trial"] = result.search.trial.id.value;
  if (result.verified) one["verified"] = to_json(*result.verified);
  return one;
}

json settled_json(const PolicyResult& first, const PolicyResult& second, Measure measure,
                  RankAt at) {
  const std::vector<std::vector<double>> values = {repeated_values(first, measure, at),
                                                   repeated_values(second, measure, at)};
  if (values[0].size() < 2 || values[1].size() < 2) return nullptr;
  const WelchTest test = welch_test(sample_of(values[0]), sample_of(values[1]), 0.95);
  return {{"difference", test.difference}, {"low", test.low}, {"high", test.high}, {"p", test.p}};
}

std::string settled_line(const json& settled, const std::string& what) {
  if (!settled.is_object()) return {};
  return fmt::format("  {} by {:.4f} (95 %: {:.4f} to {:.4f}; p {:.3g})\n", what,
                     settled.at("difference").get<double>(), settled.at("low").get<double>(),
                     settled.at("high").get<double>(), settled.at("p").get<double>());
}

std::string comparison_line(const json& one, const std::string& measure) {
  const std::string shown = measure == "top1" ? "top-1" : measure;
  const std::string name = one.value("name", "");
  std::string line = fmt::format("  {}{}{}: ", name, name.empty() ? "" : ": ",
                                 one.at("description").get<std::string>());
  if (one.contains("verified")) {
    const json& v = one.at("verified");
    const int well = v.value("ended_well", 0);
    const int repeats = v.value("repeats", 0);
    if (well == 0) return line + fmt::format("none of {} new seeds ended well\n", repeats);
    line += fmt::format("{} {:.4f}", shown, v.at(measure + "_mean").get<double>());
    if (well > 1) line += fmt::format(" ± {:.4f}", v.at(measure + "_deviation").get<double>());
    if (well == repeats) return line + fmt::format(" over {} new seeds\n", repeats);
    return line + fmt::format(" over {} of {} new seeds; {} did not end well\n", well, repeats,
                              repeats - well);
  }
  if (one.at(measure).is_null()) return line + "never measured\n";
  return line + fmt::format("{} {:.4f}\n", shown, one.at(measure).get<double>());
}

void add_outcome_numbers(json& numbers, const std::string& prefix, const json& one,
                         const std::string& measure) {
  if (!one.contains("verified")) {
    if (one.contains(measure)) numbers[prefix + measure] = one.at(measure);
    return;
  }
  const json& verified = one.at("verified");
  numbers[prefix + measure] = verified.value(measure + "_mean", json());
  numbers[prefix + measure + "_deviation"] = verified.value(measure + "_deviation", json());
  numbers[prefix + "repeats"] = verified.value("repeats", 0);
  numbers[prefix + "ended_well"] = verified.value("ended_well", 0);
}

}  // namespace lrtune
