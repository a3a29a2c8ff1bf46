#include "coordinator/cli/recommend.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/planned_run.h"
#include "coordinator/cli/terminal.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/ranking/recommendation.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {
namespace {

struct RecommendOptions {
  std::string experiment;
  std::string store;  // empty: lrtune.db if it is there
  std::int64_t top = 5;
  bool json = false;
};

int bad_input(const std::string& message) {
  say("lrtune recommend: {}\n", message);
  return kExitBadInput;
}

Result<std::vector<KnownPolicy>> measured_policies(const RecommendOptions& options) {
  const std::string path = options.store.empty() ? "lrtune.db" : options.store;
  std::error_code none;
  if (options.store.empty() && !std::filesystem::exists(path, none))
    return std::vector<KnownPolicy>{};
  const auto queries = PolicyQueries::open(path);
  if (!queries) return tl::unexpected(queries.error());
  const auto entries = queries->policies({}, RankAt::kBest);
  if (!entries) return tl::unexpected(entries.error());
  std::vector<KnownPolicy> known;
  for (const PolicyEntry& entry : *entries) {
    const RepeatedScores& scores = entry.scores;
    // One run that diverged is enough against a policy.
    if (scores.ended_well == 0 || scores.ended_well < scores.repeats) continue;
    known.push_back({entry.policy, entry.train.dataset.name, entry.train.model.name,
                     entry.train.optimizer.name, entry.plan.iterations, scores.top1.mean, true,
                     fmt::format("policy {} of the store, {} run{}", entry.id, scores.ended_well,
                                 scores.ended_well == 1 ? "" : "s")});
  }
  return known;
}

nlohmann::json to_json(const Recommendation& made) {
  return {{"policy", to_json(made.policy)},
          {"evidence", made.evidence},
          {"similarity", made.similarity},
          {"measured", made.from.measured},
          {"source", made.from.source},
          {"top1", made.from.top1},
          {"from",
           {{"policy", to_json(made.from.policy)},
            {"dataset", made.from.dataset},
            {"model", made.from.model},
            {"optimizer", made.from.optimizer},
            {"iterations", made.from.iterations}}}};
}

nlohmann::json range_json(const LrRange& range) {
  return {{"low", range.low}, {"high", range.high}, {"found", range.found}};
}

// The experiment with the recommended policies in the place of its own. JSON is YAML, too.
std::string experiment_text(const PlannedRun& run, const std::vector<Recommendation>& made,
                            const PublishedContent& ranges) {
  nlohmann::json head = run.experiment.normalised;
  head.erase("search");
  head["name"] = run.experiment.name + "-recommended";
  std::string text = fmt::format(
      "# {} policies for {} on {} under {}, {} iterations, by lrtune recommend. Start with: lrtune "
      "run.\n",
      made.size(), label(run.train.model), run.train.dataset.name, run.train.optimizer.name,
      run.plan.iterations);
  for (const LrRange& range : ranges.ranges) {
    text += fmt::format("# Good fixed rates, published: {} to {} ({}).\n", range.low, range.high,
                        range.found);
  }
  for (const auto& [key, value] : head.items()) text += fmt::format("{}: {}\n", key, value.dump());
  text += "search:\n  method: list\n  policies:\n";
  for (std::size_t i = 0; i < made.size(); ++i) {
    nlohmann::json policy = to_json(made[i].policy);
    policy["name"] = fmt::format("recommended {}", i + 1);
    text += fmt::format("    # {}\n    - {}\n", made[i].evidence, policy.dump());
  }
  return text;
}

int recommend_policies(const RecommendOptions& options) {
  const auto run = planned_run(options.experiment);
  if (!run) return bad_input(run.error().message);
  auto known = measured_policies(options);
  if (!known) return bad_input(known.error().message);
  const auto published = published_content();
  if (!published) return bad_input(published.error().message);
  for (KnownPolicy& one : known_policies(*published)) known->push_back(std::move(one));
  const NewTraining training{run->train.dataset.name, run->train.model.name,
                             run->train.optimizer.name, run->plan.iterations};
  const auto made = recommend(*known, training, static_cast<std::size_t>(options.top));
  if (made.empty()) {
    say("lrtune recommend: no training in the store or in what is published is like {} on {} under "
        "{} (similarity {} at least)\n",
        training.model, training.dataset, training.optimizer, kLeastSimilarity);
    return kExitFailure;
  }
  const auto ranges =
      for_training(*published, training.dataset, training.model, training.optimizer);
  if (!options.json)
    return write_data(experiment_text(*run, made, ranges)) ? kExitDone : kExitFailure;
  nlohmann::json json = {{"recommendations", nlohmann::json::array()},
                         {"ranges", nlohmann::json::array()}};
  for (const Recommendation& one : made) json["recommendations"].push_back(to_json(one));
  for (const LrRange& range : ranges.ranges) json["ranges"].push_back(range_json(range));
  return write_data(json.dump(2) + "\n") ? kExitDone : kExitFailure;
}

}  // namespace

void add_recommend_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<RecommendOptions>();
  CLI::App* command = app.add_subcommand(
      "recommend", "Policies to start with, out of similar trainings, as an experiment to run");
  command
      ->add_option("--experiment", options->experiment,
                   "What is to be trained; its own policies are not looked at")
      ->required()
      ->type_name("FILE");
  command->add_option("--top", options->top, "At most so many policies")
      ->check(whole_number_from(1))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--store", options->store, "The policy store; lrtune.db if it is there")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Example: lrtune recommend --experiment mine.yaml > start.yaml && lrtune run start.yaml");
  command->callback([options, &exit_code] { exit_code = recommend_policies(*options); });
}

}  // namespace lrtune
