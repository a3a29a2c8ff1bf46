#include "coordinator/methods/composition.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/policy/policy_json.h"
#include "common/policy/policy_yaml.h"
#include "coordinator/methods/comparison.h"

namespace lrtune {
namespace {

using nlohmann::json;

const json* outcome_of(const Composition& composition, const json& policy) {
  for (const json& one : composition.policies) {
    if (one.at("policy") == policy) return &one;
  }
  return nullptr;
}

std::string cost_line(const CampaignResults& results) {
  const TrainingCost& cost = results.cost;
  return fmt::format("{} iterations trained of {} asked for", cost.trained, cost.asked);
}

std::string search_text(const CampaignResults& search, const Composition& composition,
                        const ComposeSettings& settings) {
  const auto best = search.top(1);
  std::string text = fmt::format("Search ({}): {}\n", name_of(settings.method), cost_line(search));
  if (best.empty()) return text;
  const json scores = to_json(best.front()->search.scores, search.at);
  const auto value = scores.find(composition.measure);
  if (value == scores.end() || value->is_null()) return text;
  return text + fmt::format("  its best reaches {} {:.4f} with one seed\n",
                            composition.measure == "top1" ? "top-1" : composition.measure,
                            value->get<double>());
}

std::string verdict_line(const Composition& composition) {
  switch (composition.verdict) {
    case CompositionVerdict::kBetter: {
      const bool sure =
          composition.settled.is_object() && composition.settled.at("low").get<double>() *
                                                     composition.settled.at("high").get<double>() >
                                                 0;
      return sure ? "The composite is better than every other policy here.\n"
                  : "The composite is ahead of every other policy here; its lead over the second "
                    "is not settled.\n";
    }
    case CompositionVerdict::kBeaten:
      return fmt::format("The composite is not the best: {} is ahead.\n",
                         composition.policies.front().at("description").get<std::string>());
    case CompositionVerdict::kUnchanged:
      return fmt::format(
          "The best of the search never changes its function: no composite was better there{}.\n",
          composition.best == to_json(composition.composite)
              ? std::string()
              : fmt::format(", and {} is ahead of it",
                            composition.policies.front().at("description").get<std::string>()));
    case CompositionVerdict::kFailed:
      break;
  }
  return "No run of the composite ended well.\n";
}

}  // namespace

std::string_view name_of(CompositionVerdict verdict) {
  switch (verdict) {
    case CompositionVerdict::kBetter:
      return "better";
    case CompositionVerdict::kBeaten:
      return "beaten";
    case CompositionVerdict::kUnchanged:
      return "unchanged";
    case CompositionVerdict::kFailed:
      break;
  }
  return "failed";
}

Composition judge_composition(const Policy& composite, const CampaignResults& composed) {
  Composition made;
  made.composite = composite;
  made.measure = composed.by == RankBy::kLoss ? "loss" : "top1";
  const auto top = composed.top(composed.policies.size());
  made.policies = json::array();
  for (const PolicyResult* one : top) made.policies.push_back(outcome_json(*one, composed));
  const Measure measure = composed.by == RankBy::kLoss ? Measure::kLoss : Measure::kTop1;
  const json own = to_json(composite);
  const PolicyResult* composite_result = nullptr;
  const PolicyResult* best_other = nullptr;
  for (const PolicyResult* one : top) {
    const bool is_own = one->search.trial.policy == composite;
    if (is_own && composite_result == nullptr) composite_result = one;
    if (!is_own && best_other == nullptr) best_other = one;
  }
  if (composite_result != nullptr && best_other != nullptr)
    made.settled = settled_json(*composite_result, *best_other, measure, composed.at);
  for (const PolicyResult& one : composed.policies) {
    if (std::ranges::find(top, &one) == top.end()) {
      made.failed.push_back(fmt::format("{}: {} at {}", one.words(),
                                        name_of(one.search.outcome.kind),
                                        one.search.outcome.iteration));
    }
  }
  for (const PolicyResult& one : composed.policies)
    made.others += one.search.trial.policy == composite ? 0 : 1;
  made.best = top.empty() ? json() : to_json(top.front()->search.trial.policy);
  if (composite_result == nullptr) {
    made.verdict = CompositionVerdict::kFailed;
  } else if (composite.segments.size() == 1) {
    made.verdict = CompositionVerdict::kUnchanged;
  } else {
    made.verdict = made.best == own ? CompositionVerdict::kBetter : CompositionVerdict::kBeaten;
  }
  return made;
}

std::string composition_text(const Composition& composition, const CampaignResults& search,
                             const CampaignResults& composed, const ComposeSettings& settings,
                             const ComposeRange& range) {
  std::string text = fmt::format("Rates: {:.3g} to {:.3g}, from {}\n", range.rates.k0,
                                 range.rates.k1, range.source);
  text += search_text(search, composition, settings);
  text += fmt::format("Comparison: {}\n", cost_line(composed));
  for (const json& one : composition.policies) text += comparison_line(one, composition.measure);
  for (const std::string& one : composition.failed) text += fmt::format("  {}\n", one);
  text += settled_line(composition.settled, "the composite and the best of the others differ");
  text += verdict_line(composition);
  return text + "The composite:\n" + policy_to_yaml(composition.composite, 2);
}

json to_json(const Composition& composition, const CampaignResults& search,
             const CampaignResults& composed, const ComposeSettings& settings,
             const ComposeRange& range) {
  const auto cost = [](const CampaignResults& results) {
    return json{{"campaign", results.campaign.id.value},
                {"name", results.campaign.name},
                {"iterations_trained", results.cost.trained},
                {"iterations_asked", results.cost.asked}};
  };
  return {{"verdict", name_of(composition.verdict)},
          {"method", name_of(settings.method)},
          {"composite", to_json(composition.composite)},
          {"best", composition.best},
          {"measure", composition.measure},
          {"rates", {{"low", range.rates.k0}, {"high", range.rates.k1}, {"source", range.source}}},
          {"search", cost(search)},
          {"comparison", cost(composed)},
          {"policies", composition.policies},
          {"others", composition.others},
          {"failed", composition.failed},
          {"settled", composition.settled}};
}

json composition_numbers(const Composition& composition, const CampaignResults& search) {
  json numbers = {{"verdict", name_of(composition.verdict)},
                  {"measure", composition.measure},
                  {"composed_in", search.campaign.hash.hex()},
                  {"others", composition.others},
                  {"best", composition.best.is_null() ? "" : composition.best.dump()}};
  if (const json* own = outcome_of(composition, to_json(composition.composite)))
    add_outcome_numbers(numbers, "", *own, composition.measure);
  if (!composition.best.is_null() && composition.verdict == CompositionVerdict::kBeaten)
    add_outcome_numbers(numbers, "best_", *outcome_of(composition, composition.best),
                        composition.measure);
  if (composition.settled.is_object()) {
    for (const char* key : {"difference", "low", "high"})
      numbers[key] = composition.settled.at(key);
  }
  return numbers;
}

json composition_origin(const ComposeSettings& settings, const ComposeRange& range) {
  return {{"method", name_of(settings.method)},
          {"rate_low", range.rates.k0},
          {"rate_high", range.rates.k1},
          {"range_tested_in", range.tested_in ? range.tested_in->hex() : std::string()}};
}

}  // namespace lrtune
