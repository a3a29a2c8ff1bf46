#include "coordinator/cli/verify.h"

#include <fmt/format.h>

#include <CLI/Option.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/config/located_json.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/local_campaign.h"
#include "coordinator/cli/policy_argument.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/terminal.h"
#include "coordinator/cli/verify_plan.h"
#include "coordinator/tuning/m_opt.h"

namespace lrtune {
namespace {

using nlohmann::json;

struct VerifyCommand {
  RunOptions local;
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

// One verification: the campaigns of its phases, one after the other, each resumed where an
// interrupted command left it.
class Verification {
 public:
  Verification(const VerifyCommand& command, const Experiment& experiment, SqliteStore& store,
               const OutputFolder& output)
      : command_(command), experiment_(experiment), store_(store), output_(output) {}

  OrExit<std::vector<Judgement>> judge_all(const std::vector<json>& policies);

 private:
  struct Campaign {
    CampaignResults results;
    TrainingIdentity identity;  // what it trained; all policies alike
  };
  OrExit<Campaign> carried_out(const Result<Experiment>& experiment);
  OrExit<std::vector<json>> stored_rivals(const TrialRecord& alone,
                                          const TrainingIdentity& identity) const;
  OrExit<void> note_own_campaigns(std::span<const PolicyResult* const> judged);
  OrExit<Judgement> judge_one(const json& document, const PolicyResult& alone,
                              const Campaign& first, std::vector<json> stored);
  OrExit<void> generate(Judgement& judgement, const json& document, const TrialRecord& alone,
                        std::vector<json> stored);
  OrExit<void> keep(const Judgement& judgement, const PolicyResult& alone);
  OrExit<void> plot_m_opt(const PolicyResult& alone, const CampaignResults& results) const;

  const VerifyCommand& command_;
  const Experiment& experiment_;
  SqliteStore& store_;
  const OutputFolder& output_;
  std::set<CampaignId> own_campaigns_;
};

OrExit<Verification::Campaign> Verification::carried_out(const Result<Experiment>& experiment) {
  if (!experiment) return ends(experiment.error(), kExitBadInput);
  if (const int code = carry_out(command_.local, *experiment, store_, output_); code != kExitDone)
    return tl::unexpected(code);
  const auto stored = store_.load();
  if (!stored) return ends(stored.error(), kExitFailure);
  auto results = collect_results(*stored, experiment->hash);
  if (!results) return ends(results.error(), kExitFailure);
  if (results->policies.empty()) return ends({"no trial has ended"}, kExitFailure);
  const Digest& hash = results->policies.front().search.trial.identity;
  const auto identity = std::ranges::find(stored->identities, hash, &IdentityRecord::hash);
  if (identity == stored->identities.end())
    return ends({"the store has lost a training identity"}, kExitFailure);
  return Campaign{*std::move(results), identity->identity};
}

OrExit<std::vector<json>> Verification::stored_rivals(const TrialRecord& alone,
                                                      const TrainingIdentity& identity) const {
  const auto queries = PolicyQueries::open(command_.local.store);
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
  std::vector<Rival> best = rivals(*entries, search, alone.policy, top);
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

// Phase 3: where rates are worth searching, candidates from there, and the comparison.
OrExit<void> Verification::generate(Judgement& judgement, const json& document,
                                    const TrialRecord& alone, std::vector<json> stored) {
  const std::int64_t iterations = alone.plan.iterations;
  const RangeTestSettings range = generation_range(iterations);
  const auto tested = carried_out(range_test_experiment(experiment_, range));
  if (!tested) return tl::unexpected(tested.error());
  const auto report = range_report(experiment_, range, tested->results, tested->identity);
  if (!report) return ends(report.error(), kExitFailure);
  judgement.phases.push_back({{"phase", 3}, {"what", "range test"}, {"range", to_json(*report)}});
  std::vector<json> others;
  if (const auto estimate = estimate_of(*report)) {
    others =
        generated_policies(*estimate, iterations, experiment_.seed, command_.settings.candidates);
  }
  if (auto schedule = m_opt_candidate(judgement.m_opt)) others.push_back(*std::move(schedule));
  std::ranges::move(stored, std::back_inserter(others));
  if (others.empty()) {
    judgement.phase = 3;
    judgement.verdict = Verdict::kBest;
    judgement.phases.push_back(
        {{"phase", 3}, {"what", "no fixed rate learns anything: nothing can be generated"}});
    return {};
  }
  const auto compared =
      carried_out(generation_experiment(experiment_, document, others, command_.settings));
  if (!compared) return tl::unexpected(compared.error());
  judge(judgement, 3, alone.policy, compared->results, command_.settings.target);
  return {};
}

OrExit<Judgement> Verification::judge_one(const json& document, const PolicyResult& alone,
                                          const Campaign& first, std::vector<json> stored) {
  Judgement judgement;
  judgement.policy = document;
  judgement.m_opt = alone.search.m_opt();
  const bool verified = met(alone);
  judgement.verdict = verified ? Verdict::kVerified : Verdict::kBest;
  judgement.phases.push_back({{"phase", 1},
                              {"what", verified ? "the target is met" : "the target is not met"},
                              {"policies", json::array({outcome_json(alone, first.results)})}});
  if (verified && !command_.settings.compare) return judgement;
  const TrialRecord& trial = alone.search.trial;
  constexpr std::size_t kFewest = 3;  // section 4.2
  if (stored.size() < (command_.settings.compare ? 1 : kFewest)) {
    const std::string seconds =
        trial.plan.max_seconds ? fmt::format(" and {:g} s", *trial.plan.max_seconds) : "";
    judgement.phases.push_back(
        {{"phase", 2},
         {"what", fmt::format("only {} stored {} the target for this data set or network within {} "
                              "iterations{}",
                              stored.size(), stored.size() == 1 ? "policy meets" : "policies meet",
                              trial.plan.iterations, seconds)}});
  } else {
    const auto compared =
        carried_out(comparison_experiment(experiment_, document, stored, command_.settings));
    if (!compared) return tl::unexpected(compared.error());
    const bool beaten =
        judge(judgement, 2, trial.policy, compared->results, command_.settings.target);
    if (!beaten && verified) judgement.verdict = Verdict::kVerified;
    if (judgement.replacement_meets) return judgement;
    // Those that were stored did not hold what they promised; the best of them goes on.
    stored.clear();
    if (beaten) stored.push_back(*judgement.replacement);
  }
  if (command_.settings.compare) return judgement;
  if (auto done = generate(judgement, document, trial, std::move(stored)); !done)
    return tl::unexpected(done.error());
  return judgement;
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

// What the verdict rests on: the last comparison's numbers, and M-opt's agreement.
json verdict_numbers(const Judgement& judgement, const Target& target, const Policy& judged) {
  const std::string measure(name_of(target.measure));
  json numbers = {{"verdict", name_of(judgement.verdict)},
                  {"phase", judgement.phase},
                  {"measure", measure},
                  {"target", target.value},
                  {"replacement", judgement.replacement ? judgement.replacement->dump() : ""}};
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

// The verdict, as a decision about the policy's own trial: `lrtune why` tells it. The same command
// again finds the same, which is known.
OrExit<void> Verification::keep(const Judgement& judgement, const PolicyResult& alone) {
  const DecisionRecord verdict{
      alone.search.trial.campaign, alone.search.trial.id, wall_now(), "verdict",
      verdict_numbers(judgement, command_.settings.target, alone.search.trial.policy)};
  const auto queries = PolicyQueries::open(command_.local.store);
  if (!queries) return ends(queries.error(), kExitFailure);
  const auto story = queries->story(alone.search.trial.id);
  if (!story) return ends(story.error(), kExitFailure);
  for (auto decision = story->decisions.rbegin(); decision != story->decisions.rend(); ++decision) {
    if (decision->code != verdict.code) continue;
    if (decision->numbers.json() == verdict.numbers.json()) return {};
    break;
  }
  const std::vector<Record> records = {verdict};
  if (auto kept = store_.commit(records); !kept) return ends(kept.error(), kExitFailure);
  return {};
}

OrExit<void> Verification::note_own_campaigns(std::span<const PolicyResult* const> judged) {
  const auto stored = store_.load();
  if (!stored) return ends(stored.error(), kExitFailure);
  std::vector<Policy> policies;
  for (const PolicyResult* one : judged) policies.push_back(one->search.trial.policy);
  own_campaigns_ = own_campaigns(*stored, experiment_, policies);
  return {};
}

OrExit<std::vector<Judgement>> Verification::judge_all(const std::vector<json>& policies) {
  const auto first = carried_out(trial_experiment(experiment_, policies, command_.settings));
  if (!first) return tl::unexpected(first.error());
  std::vector<const PolicyResult*> in_order;  // as they were given
  for (const PolicyResult& one : first->results.policies) in_order.push_back(&one);
  std::ranges::sort(in_order, {}, [](const PolicyResult* one) { return one->search.trial.id; });
  if (in_order.size() != policies.size())
    return ends({"not every policy was trained"}, kExitFailure);
  // As the store is before any of them is compared: in whatever order they are given.
  std::vector<std::vector<json>> stored;
  if (auto own = note_own_campaigns(in_order); !own) return tl::unexpected(own.error());
  for (const PolicyResult* one : in_order) {
    auto found = stored_rivals(one->search.trial, first->identity);
    if (!found) return tl::unexpected(found.error());
    stored.push_back(*std::move(found));
  }
  std::vector<Judgement> judgements;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    auto judgement = judge_one(policies[i], *in_order[i], *first, std::move(stored[i]));
    if (!judgement) return tl::unexpected(judgement.error());
    if (auto plot = plot_m_opt(*in_order[i], first->results); !plot)
      return tl::unexpected(plot.error());
    if (auto kept = keep(*judgement, *in_order[i]); !kept) return tl::unexpected(kept.error());
    judgements.push_back(*std::move(judgement));
  }
  return judgements;
}

int show(const VerifyCommand& command, const std::vector<Judgement>& judgements,
         const OutputFolder& output) {
  json documents = json::array();
  std::string text;
  for (const Judgement& judgement : judgements) {
    documents.push_back(to_json(judgement, command.settings));
    text += verdict_text(judgement, command.settings);
  }
  const std::string document =
      (documents.size() == 1 ? documents.front() : documents).dump(2) + '\n';
  if (auto files = write_files({{"verdict.json", document}}, output.path()); !files)
    return say_error(files.error(), kExitFailure);
  if (!write_data(command.local.json ? document : text)) return kExitFailure;
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
  auto experiment = read_experiment(command.local, kAnyRangeFinding);
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
  const auto store = open_store(command.local);
  if (!store) return store.error();
  const auto output = OutputFolder::open(command.local.output.empty()
                                             ? default_output(*first)
                                             : std::filesystem::path(command.local.output));
  if (!output) return say_error(output.error(), kExitFailure);
  const auto judgements = Verification(command, *experiment, **store, *output).judge_all(policies);
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
      ->add_option("--experiment", command->local.file,
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
  add_local_options(*parser, command->local);
  parser->add_flag("--json", command->local.json, "Prints one JSON document instead of text");
  parser->callback([command, &exit_code] { exit_code = run(*command); });
}

}  // namespace lrtune
