#include "coordinator/cli/recommend.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/planned_run.h"
#include "coordinator/cli/standard_streams.h"
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

using Entries = std::vector<PolicyEntry>;

Result<Entries> stored_policies(const RecommendOptions& options) {
  const std::string path = options.store.empty() ? "lrtune.db" : options.store;
  std::error_code none;
  if (options.store.empty() && !std::filesystem::exists(path, none)) return Entries{};
  const auto queries = PolicyQueries::open(path);
  if (!queries) return tl::unexpected(queries.error());
  return queries->policies({}, RankAt::kBest);
}

// What lies in a folder of images, counted as workers count (docs/EXPERIMENTS.md, "Folders of
// JPEGs"), without the fingerprint. Nothing if it has no image.
std::optional<DataFacts> facts_of_folder(const std::filesystem::path& folder) {
  constexpr std::array<std::string_view, 4> kEndings = {".jpg", ".jpeg", ".JPG", ".JPEG"};
  DataFacts facts;
  std::error_code error;
  for (const auto& one : std::filesystem::directory_iterator(folder / "train", error)) {
    if (!one.is_directory(error)) continue;
    ++facts.classes;
    for (const auto& file : std::filesystem::directory_iterator(one, error)) {
      const std::string ending = file.path().extension().string();
      facts.train_samples += std::ranges::find(kEndings, ending) != kEndings.end() ? 1 : 0;
    }
  }
  return facts.train_samples > 0 ? std::optional(facts) : std::nullopt;
}

// Of the data that an experiment names: what a training in the store found there, else what is in
// the folder that it gives.
std::optional<DataFacts> facts_of_data(const TrainSpec& train, const Entries& entries) {
  const auto found = std::find_if(entries.rbegin(), entries.rend(), [&](const PolicyEntry& entry) {
    return entry.train.dataset == train.dataset;
  });
  if (found != entries.rend()) return found->data;
  const bool folder = train.dataset.name == "imagefolder" && !train.dataset.path.empty();
  return folder ? facts_of_folder(train.dataset.path) : std::nullopt;
}

std::vector<KnownPolicy> measured_policies(const Entries& entries) {
  std::vector<KnownPolicy> known;
  for (const PolicyEntry& entry : entries) {
    const RepeatedScores& scores = entry.scores;
    // One run that diverged is enough against a policy.
    if (scores.ended_well == 0 || scores.ended_well < scores.repeats) continue;
    known.push_back({entry.policy, entry.train.dataset.name, entry.train.model.name,
                     entry.train.optimizer.name, entry.plan.iterations, scores.top1.mean, true,
                     fmt::format("policy {} of the store, {} run{}", entry.id, scores.ended_well,
                                 scores.ended_well == 1 ? "" : "s"),
                     entry.data, entry.train.input.size});
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
  head["name"] = derived_name(run.experiment.name, "-recommended");
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
  const auto entries = stored_policies(options);
  if (!entries) return bad_input(entries.error().message);
  const auto surveyed = [&](const TrainSpec& train) { return facts_of_data(train, *entries); };
  const auto run = planned_run(options.experiment, surveyed);
  if (!run) return bad_input(run.error().message);
  std::vector<KnownPolicy> known = measured_policies(*entries);
  const auto published = published_content();
  if (!published) return bad_input(published.error().message);
  for (KnownPolicy& one : known_policies(*published)) known.push_back(std::move(one));
  const NewTraining training{run->train.dataset.name,   run->train.model.name,
                             run->train.optimizer.name, run->plan.iterations,
                             surveyed(run->train),      run->train.input.size,
                             run->plan.evaluate_every};
  const auto made = recommend(known, training, static_cast<std::size_t>(options.top));
  if (made.empty()) {
    say("lrtune recommend: no training in the store or in what is published is like {} on {} under "
        "{} (similarity {} at least)\n",
        training.model, training.dataset, training.optimizer, kLeastSimilarity);
    return kExitFailure;
  }
  const auto ranges = for_training(
      *published,
      {.dataset = training.dataset, .model = training.model, .optimizer = training.optimizer});
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
