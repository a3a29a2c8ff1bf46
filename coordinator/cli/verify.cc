#include "coordinator/cli/verify.h"

#include <fmt/format.h>

#include <CLI/Option.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/config/located_json.h"
#include "coordinator/cli/campaign_runner.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/local_campaign.h"
#include "coordinator/cli/policy_argument.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/target_argument.h"
#include "coordinator/methods/comparison.h"
#include "coordinator/methods/generation.h"
#include "coordinator/methods/verdict.h"
#include "coordinator/methods/verify_plan.h"
#include "coordinator/report/result_charts.h"

namespace lrtune {
namespace {

using nlohmann::json;

struct VerifyCommand {
  RunnerOptions runner;
  VerifySettings settings;
  std::vector<std::string> policies;
  std::string target;
  bool no_m_opt = false;
};

// An exit code that ends the command; what there is to say was said.
template <typename T>
using OrExit = tl::expected<T, int>;

tl::unexpected<int> ends(const Error& error, int code) {
  return tl::unexpected(say_error(error, code));
}

WallMillis wall_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A policy that is being judged.
struct Case {
  const json& document;
  const PolicyResult& alone;  // its run of phase 1
  std::vector<json> stored;   // what it is compared with
  Judgement judgement;

  const TrialRecord& trial() const { return alone.search.trial; }
};

// One verification: phase after phase, the campaigns of each side by side, resumed where an
// interrupted command left them.
class Verification {
 public:
  Verification(const VerifyCommand& command, const Experiment& experiment, CampaignRunner& runner,
               const OutputFolder& output)
      : command_(command), experiment_(experiment), runner_(runner), output_(output) {}

  OrExit<std::vector<Judgement>> judge_all(const std::vector<json>& policies);

 private:
  struct Campaign {
    CampaignResults results;
    TrainingIdentity identity;  // what it trained; all policies alike
  };
  using Campaigns = std::vector<Campaign>;

  OrExit<Campaigns> carried_out(std::vector<Result<Experiment>> experiments);
  Result<Campaign> done(const StoredState& stored, const Experiment& experiment) const;
  OrExit<std::vector<Case>> begin(const std::vector<json>& policies, const Campaign& first);
  OrExit<std::vector<json>> stored_rivals(const TrialResult& alone,
                                          const TrainingIdentity& identity) const;
  OrExit<void> note_own_campaigns(std::span<const PolicyResult* const> judged);
  OrExit<void> compare(std::vector<Case>& cases);
  OrExit<void> generate(std::vector<Case>& cases);
  OrExit<void> keep(const Judgement& judgement, const PolicyResult& alone);
  OrExit<void> keep_decided(const std::vector<Case>& cases);
  OrExit<void> plot_m_opt(const PolicyResult& alone, const CampaignResults& results) const;

  const VerifyCommand& command_;
  const VerifySettings& settings_ = command_.settings;
  const Experiment& experiment_;
  CampaignRunner& runner_;
  const OutputFolder& output_;
  std::set<CampaignId> own_campaigns_;
};

Result<Verification::Campaign> Verification::done(const StoredState& stored,
                                                  const Experiment& experiment) const {
  auto results = collect_results(stored, experiment.hash);
  if (!results) return tl::unexpected(results.error());
  if (results->policies.empty()) return fail("no trial has ended");
  auto identity = identity_of(stored, *results);
  if (!identity) return tl::unexpected(identity.error());
  return Campaign{*std::move(results), *std::move(identity)};
}

OrExit<Verification::Campaigns> Verification::carried_out(
    std::vector<Result<Experiment>> experiments) {
  std::vector<Experiment> good;
  for (auto& experiment : experiments) {
    if (!experiment) return ends(experiment.error(), kExitBadInput);
    good.push_back(*std::move(experiment));
  }
  if (const int code = runner_.carry_out(good, output_); code != kExitDone)
    return tl::unexpected(code);
  const auto stored = runner_.stored();
  if (!stored) return ends(stored.error(), kExitFailure);
  Campaigns campaigns;
  for (const Experiment& experiment : good) {
    auto campaign = done(*stored, experiment);
    if (!campaign) return ends(campaign.error(), kExitFailure);
    if (auto same = check_not_extended(campaign->results.campaign); !same)
      return ends(same.error(), kExitBadInput);
    campaigns.push_back(*std::move(campaign));
  }
  return campaigns;
}

OrExit<std::vector<json>> Verification::stored_rivals(const TrialResult& of,
                                                      const TrainingIdentity& identity) const {
  const TrialRecord& alone = of.trial;
  const auto queries = PolicyQueries::open(command_.runner.local.store);
  if (!queries) return ends(queries.error(), kExitFailure);
  const auto entries = queries->policies({.target = command_.settings.target}, RankAt::kBest);
  if (!entries) return ends(entries.error(), kExitFailure);
  const TrainSpec& train = identity.train;
  const RivalSearch search{.dataset = train.dataset.name,
                           .model = train.model.name,
                           .optimizer = train.optimizer.name,
                           .evaluated_on = alone.plan.evaluate_on,
                           .target = command_.settings.target,
                           .iterations = alone.plan.iterations,
                           .max_seconds = alone.plan.max_seconds,
                           .made_by_itself = own_campaigns_};
  const auto top = static_cast<std::size_t>(command_.settings.top);
  const std::array<Policy, 2> judged = {alone.policy, of.applied()};
  std::vector<Rival> best = rivals(*entries, search, judged, top);
  const auto published = published_content();
  if (!published) return ends(published.error(), kExitFailure);
  for (Rival& rival : published_rivals(published->policies, search, alone.policy, top)) {
    const bool known =
        std::ranges::find(best, rival.description, &Rival::description) != best.end();
    if (!known && best.size() < top) best.push_back(std::move(rival));
  }
  std::vector<json> found;
  for (Rival& rival : best) found.push_back(std::move(rival.policy));
  return found;
}

// Phase 2 of those that need it.
OrExit<void> Verification::compare(std::vector<Case>& cases) {
  std::vector<Case*> compared;
  std::vector<Result<Experiment>> experiments;
  for (Case& one : cases) {
    if (one.judgement.decided) continue;
    if (!enough_to_compare(one.stored.size(), settings_)) {
      judge_too_few(one.judgement, one.stored.size(), one.trial().plan, settings_);
      continue;
    }
    compared.push_back(&one);
    experiments.push_back(comparison_experiment(experiment_, one.document, one.stored, settings_));
  }
  if (compared.empty()) return {};
  const auto campaigns = carried_out(std::move(experiments));
  if (!campaigns) return tl::unexpected(campaigns.error());
  for (std::size_t i = 0; i < compared.size(); ++i) {
    Case& one = *compared[i];
    judge_comparison(one.judgement, one.trial().policy, (*campaigns)[i].results, settings_);
  }
  return {};
}

// Phase 3 of those that are open still: where rates are worth searching, which is one range test
// for all, candidates from there, and the comparisons.
OrExit<void> Verification::generate(std::vector<Case>& cases) {
  const auto open =
      std::ranges::find_if(cases, [](const Case& one) { return !one.judgement.decided; });
  if (open == cases.end()) return {};
  const RangeTestSettings range = generation_range(open->trial().plan.iterations);
  const auto tested = carried_out({range_test_experiment(experiment_, range)});
  if (!tested) return tl::unexpected(tested.error());
  const Campaign& test = tested->front();
  const auto report = range_report(experiment_, range, test.results, test.identity);
  if (!report) return ends(report.error(), kExitFailure);
  std::vector<Case*> generated;
  std::vector<Result<Experiment>> experiments;
  for (Case& one : cases) {
    if (one.judgement.decided) continue;
    const auto others = judge_range(one.judgement, *report, test.results.campaign.hash,
                                    experiment_.seed, one.stored, settings_);
    if (others.empty()) continue;
    generated.push_back(&one);
    experiments.push_back(generation_experiment(experiment_, one.document, others, settings_));
  }
  if (generated.empty()) return {};
  const auto campaigns = carried_out(std::move(experiments));
  if (!campaigns) return tl::unexpected(campaigns.error());
  for (std::size_t i = 0; i < generated.size(); ++i) {
    Case& one = *generated[i];
    judge_generated(one.judgement, one.trial().policy, (*campaigns)[i].results, settings_);
  }
  return {};
}

OrExit<void> Verification::plot_m_opt(const PolicyResult& alone,
                                      const CampaignResults& results) const {
  if (alone.search.m_opt().empty()) return {};
  const std::string name = fmt::format("m-opt-trial-{}.svg", alone.search.trial.id.value);
  if (auto files = write_files({{name, to_svg(m_opt_chart(results, alone))}}, output_.path());
      !files)
    return ends(files.error(), kExitFailure);
  return {};
}

// The verdict, as a decision about the policy's own trial: `lrtune why` tells it. The same command
// again finds the same, which is known.
OrExit<void> Verification::keep(const Judgement& judgement, const PolicyResult& alone) {
  const DecisionRecord verdict{alone.search.trial.campaign, alone.search.trial.id, wall_now(),
                               "verdict",
                               verdict_numbers(judgement, settings_, alone.search.trial.policy)};
  const auto queries = PolicyQueries::open(command_.runner.local.store);
  if (!queries) return ends(queries.error(), kExitFailure);
  const auto story = queries->story(alone.search.trial.id);
  if (!story) return ends(story.error(), kExitFailure);
  for (auto decision = story->decisions.rbegin(); decision != story->decisions.rend(); ++decision) {
    if (decision->code != verdict.code) continue;
    if (decision->numbers.json() == verdict.numbers.json()) return {};
    break;
  }
  if (const int code = runner_.keep(verdict); code != kExitDone) return tl::unexpected(code);
  return {};
}

OrExit<void> Verification::note_own_campaigns(std::span<const PolicyResult* const> judged) {
  const auto stored = runner_.stored();
  if (!stored) return ends(stored.error(), kExitFailure);
  std::vector<Policy> policies;
  for (const PolicyResult* one : judged) policies.push_back(one->search.trial.policy);
  own_campaigns_ =
      own_campaigns(*stored, experiment_, judged.front()->search.trial.campaign, policies);
  return {};
}

// After phase 1: the judgements that it gives, and what each policy would be compared with.
OrExit<std::vector<Case>> Verification::begin(const std::vector<json>& policies,
                                              const Campaign& first) {
  std::vector<const PolicyResult*> in_order;  // as they were given
  for (const PolicyResult& one : first.results.policies) in_order.push_back(&one);
  std::ranges::sort(in_order, {}, [](const PolicyResult* one) { return one->search.trial.id; });
  if (in_order.size() != policies.size())
    return ends({"not every policy was trained"}, kExitFailure);
  if (auto own = note_own_campaigns(in_order); !own) return tl::unexpected(own.error());
  std::vector<Case> cases;
  // As the store is before any of them is compared: in whatever order they are given.
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const PolicyResult& alone = *in_order[i];
    auto stored = stored_rivals(alone.search, first.identity);
    if (!stored) return tl::unexpected(stored.error());
    cases.push_back({policies[i], alone, *std::move(stored),
                     judge_alone(policies[i], alone, first.results, settings_)});
    if (auto plot = plot_m_opt(alone, first.results); !plot) return tl::unexpected(plot.error());
  }
  return cases;
}

OrExit<void> Verification::keep_decided(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    if (!one.judgement.decided) continue;
    if (auto kept = keep(one.judgement, one.alone); !kept) return kept;
  }
  return {};
}

OrExit<std::vector<Judgement>> Verification::judge_all(const std::vector<json>& policies) {
  const auto first = carried_out({trial_experiment(experiment_, policies, settings_)});
  if (!first) return tl::unexpected(first.error());
  auto cases = begin(policies, first->front());
  if (!cases) return tl::unexpected(cases.error());
  // What is decided is kept at once: the next phase may take days.
  if (auto kept = keep_decided(*cases); !kept) return tl::unexpected(kept.error());
  if (auto done = compare(*cases); !done) return tl::unexpected(done.error());
  if (auto kept = keep_decided(*cases); !kept) return tl::unexpected(kept.error());
  if (auto done = generate(*cases); !done) return tl::unexpected(done.error());
  if (auto kept = keep_decided(*cases); !kept) return tl::unexpected(kept.error());
  std::vector<Judgement> judgements;
  for (Case& one : *cases) judgements.push_back(std::move(one.judgement));
  return judgements;
}

// Of several policies each has its own.
std::string heading(const Judgement& judgement, std::size_t number, std::size_t of) {
  const std::string words = fmt::format(
      "Policy {} of {}: {}", number, of,
      judgement.phases.front().at("policies").front().at("description").get<std::string>());
  return (number > 1 ? "\n" : "") + paint(words, Ink::kBold, terminal_of(1).colour) + '\n';
}

int show(const VerifyCommand& command, const std::vector<Judgement>& judgements,
         const OutputFolder& output) {
  json documents = json::array();
  std::string text;
  for (const Judgement& judgement : judgements) {
    if (judgements.size() > 1) text += heading(judgement, documents.size() + 1, judgements.size());
    documents.push_back(to_json(judgement, command.settings));
    text += verdict_text(judgement, command.settings);
  }
  const std::string document =
      (documents.size() == 1 ? documents.front() : documents).dump(2) + '\n';
  if (auto files = write_files({{"verdict.json", document}}, output.path()); !files)
    return say_error(files.error(), kExitFailure);
  if (!write_data(command.runner.local.json ? document : text)) return kExitFailure;
  say("lrtune: the verdict and logs are in {}\n", output.path().string());
  return kExitDone;
}

Result<std::vector<LocatedJson>> policy_documents(const VerifyCommand& command) {
  std::vector<LocatedJson> documents;
  for (const std::string& argument : command.policies) {
    auto document = policy_document(argument);
    if (!document) return tl::unexpected(document.error());
    documents.push_back(*std::move(document));
  }
  return documents;
}

// What is wrong with one of `policies`, which the experiment made of them calls by its number, with
// its place on the command line.
Error in_its_place(const Error& error, std::span<const LocatedJson> policies) {
  constexpr std::string_view kBefore = "/search/policies/";
  if (!error.path.starts_with(kBefore)) return error;
  const std::string rest = error.path.substr(kBefore.size());
  std::size_t index = 0;
  const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
  if (failed != std::errc{} || index >= policies.size()) return error;
  std::string message = error.message;
  const std::string words = fmt::format(" ({})", key_words(error.path));
  if (message.ends_with(words)) message.resize(message.size() - words.size());
  return policies[index].located({std::move(message), {end, rest.data() + rest.size()}});
}

// The experiment, with all of the command's own input checked; nothing is changed before.
Result<Experiment> read_input(VerifyCommand& command) {
  command.settings.m_opt = !command.no_m_opt;
  auto experiment = read_experiment(command.runner.local, kAnyRangeFinding);
  if (!experiment) return experiment;
  if (!command.target.empty()) {
    const auto target = target_from_text(command.target);
    if (!target) return tl::unexpected(target.error());
    command.settings.target = *target;
  } else if (experiment->target) {
    command.settings.target = *experiment->target;
  } else {
    return fail("there is no target: give --target, such as --target top1=0.991");
  }
  return experiment;
}

int run(VerifyCommand command) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto experiment = read_input(command);
  if (!experiment) return say_error(experiment.error(), kExitBadInput);
  const auto located = policy_documents(command);
  if (!located) return say_error(located.error(), kExitBadInput);
  std::vector<json> policies;
  for (const LocatedJson& one : *located) policies.push_back(one.json);
  const auto first = trial_experiment(*experiment, policies, command.settings);
  if (!first) return say_error(in_its_place(first.error(), *located), kExitBadInput);
  const auto runner = campaign_runner(command.runner);
  if (!runner) return runner.error();
  const auto output = OutputFolder::open(command.runner.local.output.empty()
                                             ? default_output(*first)
                                             : std::filesystem::path(command.runner.local.output));
  if (!output) return say_error(output.error(), kExitFailure);
  const auto judgements = Verification(command, *experiment, **runner, *output).judge_all(policies);
  return judgements ? show(command, *judgements, *output) : judgements.error();
}

}  // namespace

void add_verify_command(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<VerifyCommand>();
  VerifySettings& settings = command->settings;
  CLI::App* parser = app.add_subcommand(
      "verify", "Judges policies: does one meet the target, and is there a better one?");
  parser
      ->add_option("policy", command->policies,
                   "Policies: files, or texts such as '{function: fix, k0: 0.01}'")
      ->required();
  parser
      ->add_option("--experiment", command->runner.local.file,
                   "What to train and for how long: its train, run and seed")
      ->required();
  parser->add_option("--target", command->target,
                     "top1=VALUE or loss=VALUE; default: the experiment's");
  parser->add_option("--top", settings.top, "Stored policies that meet the target to compare with")
      ->check(CLI::Range(3, 5))
      ->capture_default_str();
  parser->add_option("--repeats", settings.repeats, "New seeds for each policy that is compared")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  parser->add_option("--candidates", settings.candidates, "Policies that phase 3 generates")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  parser->add_flag("--compare", settings.compare,
                   "Compare with the stored ones even if the target is met, and end there");
  parser->add_flag("--no-m-opt", command->no_m_opt,
                   "Measures no M-opt: what was trained without it is not trained again");
  add_runner_options(*parser, command->runner);
  parser->add_flag("--json", command->runner.local.json,
                   "Prints one JSON document instead of text");
  parser->callback([command, &exit_code] { exit_code = run(*command); });
}

}  // namespace lrtune
