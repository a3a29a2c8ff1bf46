#include "coordinator/cli/policies.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/policies_exchange.h"
#include "coordinator/cli/policies_ranges.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/target_argument.h"
#include "coordinator/cli/whole_file.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/plot/chart.h"
#include "coordinator/ranking/mix.h"
#include "coordinator/report/policies_mixed.h"
#include "coordinator/report/policies_text.h"
#include "coordinator/report/provenance_text.h"
#include "coordinator/report/published_text.h"

namespace lrtune {
namespace {

struct PoliciesOptions {
  std::string store = "lrtune.db";
  PolicyFilter filter;
  std::string by = "top1";
  std::string at = "best";
  std::int64_t limit = 0;  // 0: all
  std::int64_t id = 0;     // show
  bool json = false;
  std::string weights;     // top: empty: by one measure
  bool pareto = false;     // top
  std::string plot;        // top --pareto: empty: none
  bool published = false;  // list
};

const std::map<std::string, RankBy> kBy = {{"top1", RankBy::kTop1},
                                           {"loss", RankBy::kLoss},
                                           {"cost", RankBy::kCost},
                                           {"robustness", RankBy::kRobustness},
                                           {"seconds", RankBy::kSeconds}};
const std::map<std::string, RankAt> kAt = {{"best", RankAt::kBest}, {"final", RankAt::kFinal}};

using Entries = std::vector<PolicyEntry>;

int bad_input(const Error& error) {
  say("lrtune policies: {}\n", error.message);
  return kExitBadInput;
}

int write(const std::string& text) { return write_data(text) ? kExitDone : kExitFailure; }

std::string filter_words(const PolicyFilter& filter) {
  std::string words;
  for (const auto& [what, name] :
       {std::pair("task", &filter.task), std::pair("dataset", &filter.dataset),
        std::pair("model", &filter.model), std::pair("framework", &filter.framework),
        std::pair("optimizer", &filter.optimizer)}) {
    if (!name->empty())
      words += fmt::format("{}{} {}", words.empty() ? " for " : ", ", what, *name);
  }
  if (filter.iterations > 0) {
    words +=
        fmt::format("{}runs of {} iterations", words.empty() ? " for " : ", ", filter.iterations);
  }
  return words;
}

int show_none(const PoliciesOptions& options) {
  say("lrtune policies: the store {} has no policies{}\n", options.store,
      filter_words(options.filter));
  return kExitDone;
}

// Rungs and segments of a search leave runs of several lengths in a store.
void note_lengths(const Entries& ranked) {
  if (ranked.empty()) return;
  const auto [shortest, longest] = std::minmax_element(
      ranked.begin(), ranked.end(), [](const PolicyEntry& one, const PolicyEntry& other) {
        return one.plan.iterations < other.plan.iterations;
      });
  if (shortest->plan.iterations == longest->plan.iterations) return;
  say("lrtune policies: these runs have {} to {} iterations and do not compare; --iterations {} "
      "ranks "
      "the longest alone\n",
      shortest->plan.iterations, longest->plan.iterations, longest->plan.iterations);
}

// Iterations to one target and to another do not compare.
void note_targets(const Entries& ranked, const PoliciesOptions& options) {
  const bool by_cost = kBy.at(options.by) == RankBy::kCost ||
                       kBy.at(options.by) == RankBy::kSeconds || options.pareto ||
                       !options.weights.empty();
  if (!by_cost || options.filter.target || ranked.empty()) return;
  const auto& first = ranked.front().plan.target;
  const bool alike = std::ranges::all_of(
      ranked, [&](const PolicyEntry& entry) { return entry.plan.target == first; });
  if (alike) return;
  say("lrtune policies: the targets of these runs differ, and their costs do not compare; "
      "--target, such as top1=0.9, counts to one for all\n");
}

// Top by several measures.
int show_mixed(const PoliciesOptions& options, const PolicyQueries& queries) {
  const RankAt at = kAt.at(options.at);
  const auto limit = static_cast<std::size_t>(options.limit);
  Result<Entries> all = queries.policies(options.filter, at);
  if (!all) return bad_input(all.error());
  std::erase_if(*all, [](const PolicyEntry& entry) { return entry.runs.empty(); });
  if (all->empty() && !options.json) return show_none(options);
  if (!options.json) {
    note_lengths(*all);
    note_targets(*all, options);
  }
  if (!options.plot.empty()) {
    const auto written = write_whole_file(options.plot, to_svg(pareto_chart(*all, limit)));
    if (!written) {
      say("lrtune policies: {}\n", written.error().message);
      return kExitFailure;
    }
  }
  const auto text =
      mixed_text(std::move(*all), {options.weights, limit, options.json, at}, terminal_of(1));
  return text ? write(*text) : bad_input(text.error());
}

int show_list(const PoliciesOptions& options, bool ranked) {
  const auto queries = PolicyQueries::open(options.store);
  if (!queries) return bad_input(queries.error());
  const RankAt at = kAt.at(options.at);
  if (options.pareto || !options.weights.empty()) return show_mixed(options, *queries);
  const auto limit = static_cast<std::size_t>(options.limit);
  Result<Entries> entries = ranked ? queries->best(options.filter, kBy.at(options.by), at, limit)
                                   : queries->policies(options.filter, at);
  if (!entries) return bad_input(entries.error());
  if (limit > 0 && entries->size() > limit) entries->resize(limit);
  if (options.json) return write(policies_json(*entries, at).dump(2) + "\n");
  if (entries->empty()) return show_none(options);
  if (ranked) {
    note_lengths(*entries);
    note_targets(*entries, options);
  }
  const bool by_seconds = ranked && kBy.at(options.by) == RankBy::kSeconds;
  return write(policies_table(*entries, ranked, terminal_of(1), by_seconds));
}

int show_policy(const PoliciesOptions& options) {
  const auto queries = PolicyQueries::open(options.store);
  if (!queries) return bad_input(queries.error());
  const Result<Entries> entries = queries->policy(options.id, kAt.at(options.at));
  if (!entries) return bad_input(entries.error());
  const auto provenance = provenance_of(options.store, options.id);
  if (!provenance) return bad_input(provenance.error());
  if (options.json) {
    nlohmann::json json = policies_json(*entries, kAt.at(options.at));
    add_provenance(json, *provenance);
    return write(json.dump(2) + "\n");
  }
  return write(policy_page(*entries, kAt.at(options.at), terminal_of(1)) +
               provenance_comments(*provenance, terminal_of(1).colour));
}

int show_published(const PoliciesOptions& options) {
  const auto published = published_content();
  if (!published) return bad_input(published.error());
  const PolicyFilter& filter = options.filter;
  const PublishedContent kept = for_training(*published, {.task = filter.task,
                                                          .dataset = filter.dataset,
                                                          .model = filter.model,
                                                          .framework = filter.framework,
                                                          .optimizer = filter.optimizer});
  return write(options.json ? published_json(kept).dump(2) + "\n"
                            : published_text(kept, terminal_of(1)));
}

using Options = std::shared_ptr<PoliciesOptions>;

// An error lists the allowed words; help has them as the option's type.
template <typename Value>
CLI::Validator one_of(const std::map<std::string, Value>& names) {
  std::vector<std::string> allowed;
  for (const auto& [name, value] : names) allowed.push_back(name);
  return CLI::Validator(CLI::IsMember(allowed)).description("");
}

void add_common_options(CLI::App& command, const Options& options) {
  command.add_option("--store", options->store, "The policy store")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_option("--at", options->at, "Take scores at the best or at the final evaluation")
      ->check(one_of(kAt))
      ->type_name("best|final")
      ->capture_default_str();
  command.add_flag("--json", options->json, "Print JSON");
}

void add_filter_options(CLI::App& command, const Options& options, std::int64_t limit) {
  options->limit = limit;
  command
      .add_option("--task", options->filter.task,
                  "Only policies of this learning task, such as image-classification")
      ->type_name("NAME");
  command
      .add_option("--dataset", options->filter.dataset, "Only policies trained on this data set")
      ->type_name("NAME");
  command.add_option("--model", options->filter.model, "Only policies that trained this model")
      ->type_name("NAME");
  command
      .add_option(
          "--framework", options->filter.framework,
          "Only policies trained with this framework: libtorch, and of published ones caffe "
          "or pytorch")
      ->type_name("NAME");
  command
      .add_option("--iterations", options->filter.iterations,
                  "Only runs of this length: those of other lengths do not compare")
      ->check(whole_number_from(1))
      ->type_name("N");
  command
      .add_option("--optimizer", options->filter.optimizer, "Only policies under this optimizer")
      ->type_name("NAME");
  command.add_option("--limit", options->limit, "At most so many lines; 0: all")
      ->check(whole_number_from(0))
      ->type_name("N")
      ->capture_default_str();
}

const char* const kTableWords =
    "runs: those that ended well, or ended well/all; numbers are means over those that ended "
    "well,\n"
    "after ± the sample standard deviation. to target: iterations until the run plan's target was\n"
    "met. loss diff: train loss - evaluated loss.";

void add_list(CLI::App& policies, int& exit_code) {
  CLI::App* command =
      policies.add_subcommand("list", "All policies, in the order in which they were first tried");
  const auto options = std::make_shared<PoliciesOptions>();
  command->add_flag("--published", options->published,
                    "The policies of the paper's tables, with its figures, instead of the store's");
  add_filter_options(*command, options, 0);
  add_common_options(*command, options);
  command->footer(kTableWords);
  command->callback([options, &exit_code] {
    exit_code = options->published ? show_published(*options) : show_list(*options, false);
  });
}

void add_top(CLI::App& policies, int& exit_code) {
  CLI::App* command =
      policies.add_subcommand("top", "The best policies, by the mean over their runs");
  const auto options = std::make_shared<PoliciesOptions>();
  CLI::Option* by =
      command
          ->add_option(
              "--by", options->by,
              "top1, loss: of the evaluated part; cost: iterations to the target; robustness: "
              "the size of loss diff; seconds: to the target, which depend on the machine")
          ->check(one_of(kBy))
          ->type_name("top1|loss|cost|robustness|seconds")
          ->capture_default_str();
  CLI::Option* weights =
      command
          ->add_option("--weights", options->weights,
                       "Rank by a weighted mix, such as utility=1,cost=0.5,robustness=0.2")
          ->check([](const std::string& text) {
            const auto read = weights_from_text(text);
            return read ? std::string() : read.error().message;
          })
          ->type_name("M=W,...")
          ->excludes(by);
  CLI::Option* pareto =
      command
          ->add_flag("--pareto", options->pareto,
                     "Only policies that no other beats in top-1, iterations to the target and "
                     "loss diff together")
          ->excludes(weights)
          ->excludes(by);
  command
      ->add_option("--plot", options->plot,
                   "Write a chart in SVG to this file: all policies as points, those that no other "
                   "beats in colour")
      ->type_name("FILE")
      ->needs(pareto);
  command
      ->add_option_function<std::string>(
          "--target",
          [options](const std::string& text) { options->filter.target = *target_from_text(text); },
          "Count iterations and seconds to this target, in the place of each run's own")
      ->check([](const std::string& text) {
        const auto read = target_from_text(text);
        return read ? std::string() : read.error().message;
      })
      ->type_name("top1=VALUE|loss=VALUE");
  add_filter_options(*command, options, 10);
  add_common_options(*command, options);
  command->footer(kTableWords);
  command->callback([options, &exit_code] { exit_code = show_list(*options, true); });
}

void add_show(CLI::App& policies, int& exit_code) {
  CLI::App* command = policies.add_subcommand(
      "show", "One policy as YAML, ready to paste, with its runs as comments");
  const auto options = std::make_shared<PoliciesOptions>();
  command->add_option("ID", options->id, "The policy's number in `lrtune policies list`")
      ->required()
      ->check(whole_number_from(1));
  add_common_options(*command, options);
  command->callback([options, &exit_code] { exit_code = show_policy(*options); });
}

}  // namespace

void add_policies_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("policies", "Shows the policies of a store and how they did");
  command->require_subcommand(1);
  add_list(*command, exit_code);
  add_top(*command, exit_code);
  add_show(*command, exit_code);
  add_ranges_command(*command, exit_code);
  add_exchange_commands(*command, exit_code);
}

}  // namespace lrtune
