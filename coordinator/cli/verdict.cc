#include "coordinator/cli/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/policy/policy_json.h"
#include "coordinator/cli/m_opt_text.h"
#include "coordinator/tuning/m_opt.h"
#include "coordinator/tuning/settled_order.h"

namespace lrtune {
namespace {

using nlohmann::json;

double best_value(const Scores& scores, Measure measure) {
  return measure == Measure::kTop1 ? scores.best.evaluated.top1 : scores.lowest_loss.evaluated.loss;
}

std::vector<double> best_values(const PolicyResult& result, Measure measure) {
  std::vector<double> values;
  for (const TrialResult& repeat : result.repeats) {
    if (repeat.scores.ended_well) values.push_back(best_value(repeat.scores, measure));
  }
  return values;
}

// Is the first really better than the second? From their repeats, if there are enough.
json settled(const PolicyResult& first, const PolicyResult& second, Measure measure) {
  const std::vector<std::vector<double>> values = {best_values(first, measure),
                                                   best_values(second, measure)};
  if (values[0].size() < 2 || values[1].size() < 2) return nullptr;
  const WelchTest test = welch_test(sample_of(values[0]), sample_of(values[1]), 0.95);
  return {{"difference", test.difference}, {"low", test.low}, {"high", test.high}, {"p", test.p}};
}

// `measure`: "top1" or "loss".
std::string line_of(const json& one, const std::string& measure) {
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

std::string in_words(std::string code) {
  std::ranges::replace(code, '_', ' ');
  return code;
}

// "0.00316 to 0.1", or what is known of it.
std::string range_words(const json& range) {
  const auto bound = [&](const char* name) {
    const json& one = range.at(name);
    return one.at("told").get<bool>()
               ? fmt::format("{:.3g}", one.at("rate").get<double>())
               : fmt::format("cannot tell ({})", in_words(one.at("why").get<std::string>()));
  };
  return fmt::format("  rates worth searching: from {} to {}\n", bound("lower"), bound("upper"));
}

std::string phase_text(const json& phase, const std::string& measure) {
  std::string text = fmt::format("Phase {}: {}\n", phase.at("phase").get<int>(),
                                 phase.at("what").get<std::string>());
  if (phase.contains("range")) text += range_words(phase.at("range"));
  for (const json& one : phase.value("policies", json::array())) text += line_of(one, measure);
  const json settled = phase.value("settled", json());
  if (settled.is_object()) {
    text += fmt::format("  the best two differ by {:.4f} (95 %: {:.4f} to {:.4f}; p {:.3g})\n",
                        settled.at("difference").get<double>(), settled.at("low").get<double>(),
                        settled.at("high").get<double>(), settled.at("p").get<double>());
  }
  return text;
}

// How one of the compared did, under names that begin with `prefix`.
void add_numbers(json& numbers, const std::string& prefix, const json& one,
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

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kVerified:
      return "verified";
    case Verdict::kReplaced:
      return "replaced";
    case Verdict::kBest:
      break;
  }
  return "best";
}

bool met(const PolicyResult& result) { return result.search.scores.target_iteration.has_value(); }

bool meets(const PolicyResult& result, const Target& target) {
  const std::vector<double> values = best_values(result, target.measure);
  if (values.empty()) return met(result);
  const double mean = sample_of(values).mean;
  return target.measure == Measure::kTop1 ? mean >= target.value : mean <= target.value;
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

bool judge(Judgement& judgement, int phase, const Policy& policy, const CampaignResults& results,
           const Target& target) {
  const auto top = results.top(results.policies.size());
  json policies = json::array();
  for (const PolicyResult* one : top) policies.push_back(outcome_json(*one, results));
  const bool beaten = !top.empty() && top.front()->search.trial.policy != policy;
  judgement.phase = phase;
  judgement.verdict = beaten ? Verdict::kReplaced : Verdict::kBest;
  judgement.replacement.reset();
  if (beaten) judgement.replacement = to_json(top.front()->search.trial.policy);
  judgement.replacement_meets = beaten && meets(*top.front(), target);
  const char* const what = !beaten                       ? "nothing beats the policy"
                           : judgement.replacement_meets ? "another policy is better"
                                                         : "another policy is better, and misses "
                                                           "the target too";
  judgement.phases.push_back(
      {{"phase", phase},
       {"what", what},
       {"policies", std::move(policies)},
       {"settled", top.size() > 1 ? settled(*top[0], *top[1], target.measure) : json()}});
  return beaten;
}

Judgement judge_alone(const json& policy, const PolicyResult& alone, const CampaignResults& results,
                      const VerifySettings& settings) {
  Judgement judgement;
  judgement.policy = policy;
  judgement.m_opt = alone.search.m_opt();
  const bool verified = met(alone);
  judgement.verdict = verified ? Verdict::kVerified : Verdict::kBest;
  judgement.phases.push_back({{"phase", 1},
                              {"what", verified ? "the target is met" : "the target is not met"},
                              {"policies", json::array({outcome_json(alone, results)})}});
  judgement.decided = verified && !settings.compare;
  return judgement;
}

bool enough_to_compare(std::size_t stored, const VerifySettings& settings) {
  constexpr std::size_t kFewest = 3;  // section 4.2
  return stored >= (settings.compare ? 1 : kFewest);
}

void judge_too_few(Judgement& judgement, std::size_t stored, const RunPlan& plan,
                   const VerifySettings& settings) {
  const std::string seconds = plan.max_seconds ? fmt::format(" and {:g} s", *plan.max_seconds) : "";
  judgement.phases.push_back(
      {{"phase", 2},
       {"what", fmt::format("only {} stored {} the target for this data set or network within {} "
                            "iterations{}",
                            stored, stored == 1 ? "policy meets" : "policies meet", plan.iterations,
                            seconds)}});
  judgement.decided = settings.compare;
}

void judge_comparison(Judgement& judgement, const Policy& policy, const CampaignResults& results,
                      const VerifySettings& settings) {
  const bool verified = judgement.verdict == Verdict::kVerified;
  const bool beaten = judge(judgement, 2, policy, results, settings.target);
  if (!beaten && verified) judgement.verdict = Verdict::kVerified;
  judgement.compared_in = results.campaign.hash;
  judgement.decided = judgement.replacement_meets || settings.compare;
}

std::vector<json> judge_range(Judgement& judgement, const RangeReport& report,
                              const Digest& range_test, std::uint64_t seed,
                              std::vector<json> stored, const VerifySettings& settings) {
  judgement.range_tested_in = range_test;
  judgement.phases.push_back({{"phase", 3}, {"what", "range test"}, {"range", to_json(report)}});
  std::vector<json> others;
  if (const auto estimate = estimate_of(report))
    others = generated_policies(*estimate, report.run_iterations, seed, settings.candidates);
  if (auto schedule = m_opt_candidate(judgement.m_opt)) others.push_back(*std::move(schedule));
  // Those that were compared did not hold what they promised; the best of them goes on.
  if (judgement.compared_in) {
    if (judgement.replacement) others.push_back(*judgement.replacement);
  } else {
    std::ranges::move(stored, std::back_inserter(others));
  }
  if (others.empty()) {
    judgement.phase = 3;
    judgement.verdict = Verdict::kBest;
    judgement.decided = true;
    judgement.phases.push_back(
        {{"phase", 3}, {"what", "no fixed rate learns anything: nothing can be generated"}});
  }
  return others;
}

void judge_generated(Judgement& judgement, const Policy& policy, const CampaignResults& results,
                     const VerifySettings& settings) {
  judge(judgement, 3, policy, results, settings.target);
  judgement.generated_in = results.campaign.hash;
  judgement.decided = true;
}

std::string verdict_text(const Judgement& judgement, const VerifySettings& settings) {
  std::string text;
  const std::string measure(name_of(settings.target.measure));
  for (const json& phase : judgement.phases) text += phase_text(phase, measure);
  if (!judgement.m_opt.empty()) text += m_opt_words(judgement.m_opt);
  const std::string target =
      fmt::format("{} {}", name_of(settings.target.measure), settings.target.value);
  switch (judgement.verdict) {
    case Verdict::kVerified:
      return text + fmt::format("Verdict: verified: it meets {}.\n", target);
    case Verdict::kReplaced:
      return text +
             fmt::format("Verdict: replaced, in phase {}. The better policy{}:\n{}\n",
                         judgement.phase,
                         judgement.replacement_meets ? "" : ", which misses " + target + " too",
                         judgement.replacement->dump());
    case Verdict::kBest:
      break;
  }
  return text + fmt::format("Verdict: it is the best that was found{}.\n",
                            settings.compare ? "" : ", though it misses " + target);
}

json to_json(const Judgement& judgement, const VerifySettings& settings) {
  return {{"verdict", name_of(judgement.verdict)},
          {"phase", judgement.phase},
          {"target", to_json(settings.target)},
          {"policy", judgement.policy},
          {"replacement", judgement.replacement ? *judgement.replacement : json()},
          {"replacement_meets_target",
           judgement.replacement ? json(judgement.replacement_meets) : json()},
          {"m_opt", judgement.m_opt.empty() ? json() : m_opt_json(judgement.m_opt)},
          {"phases", judgement.phases}};
}

json verdict_numbers(const Judgement& judgement, const VerifySettings& settings,
                     const Policy& judged) {
  const Target& target = settings.target;
  const std::string measure(name_of(target.measure));
  const auto campaign = [](const std::optional<Digest>& hash) {
    return hash ? hash->hex() : std::string();
  };
  json numbers = {{"verdict", name_of(judgement.verdict)},
                  {"phase", judgement.phase},
                  {"measure", measure},
                  {"target", target.value},
                  {"replacement", judgement.replacement ? judgement.replacement->dump() : ""},
                  {"compared_in", campaign(judgement.compared_in)},
                  {"range_tested_in", campaign(judgement.range_tested_in)},
                  {"generated_in", campaign(judgement.generated_in)},
                  {"candidates", settings.candidates},
                  {"compare", settings.compare}};
  const json own = to_json(judged);
  for (const json& phase : judgement.phases) {
    for (const json& one : phase.value("policies", json::array())) {
      if (one.at("policy") == own) add_numbers(numbers, "", one, measure);
      if (judgement.replacement && one.at("policy") == *judgement.replacement)
        add_numbers(numbers, "replacement_", one, measure);
    }
  }
  if (const auto found = agreement(judgement.m_opt))
    numbers["m_opt_mean_log10"] = found->mean_log10;
  return numbers;
}

}  // namespace lrtune
