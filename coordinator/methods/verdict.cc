#include "coordinator/methods/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/policy/policy_json.h"
#include "coordinator/methods/comparison.h"
#include "coordinator/methods/generation.h"
#include "coordinator/report/m_opt_text.h"
#include "coordinator/tuning/m_opt.h"
#include "coordinator/tuning/settled_order.h"

namespace lrtune {
namespace {

using nlohmann::json;

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
  const json& cost = phase.contains("range") ? phase.at("range") : phase;
  if (cost.contains("iterations_trained")) {
    text += fmt::format("  {} iterations trained of {} asked for\n",
                        cost.at("iterations_trained").get<std::int64_t>(),
                        cost.at("iterations_asked").get<std::int64_t>());
  }
  for (const json& one : phase.value("policies", json::array()))
    text += comparison_line(one, measure);
  text += settled_line(phase.value("settled", json()), "the best two differ");
  return text;
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
  const std::vector<double> values = repeated_values(result, target.measure, RankAt::kBest);
  if (values.empty()) return met(result);
  const double mean = sample_of(values).mean;
  return target.measure == Measure::kTop1 ? mean >= target.value : mean <= target.value;
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
       {"iterations_trained", results.cost.trained},
       {"iterations_asked", results.cost.asked},
       {"settled",
        top.size() > 1 ? settled_json(*top[0], *top[1], target.measure, RankAt::kBest) : json()}});
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
                              {"policies", json::array({outcome_json(alone, results)})},
                              {"iterations_trained", results.cost.trained},
                              {"iterations_asked", results.cost.asked}});
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
      if (one.at("policy") == own) add_outcome_numbers(numbers, "", one, measure);
      if (judgement.replacement && one.at("policy") == *judgement.replacement)
        add_outcome_numbers(numbers, "replacement_", one, measure);
    }
  }
  if (const auto found = agreement(judgement.m_opt))
    numbers["m_opt_mean_log10"] = found->mean_log10;
  return numbers;
}

}  // namespace lrtune
