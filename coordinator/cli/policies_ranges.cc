#include "coordinator/cli/policies_ranges.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <vector>

#include "coordinator/cli/exit_code.h"
#include "coordinator/methods/range_test_plan.h"
#include "coordinator/report/text_table.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {
namespace {

struct RangesOptions {
  std::string store = "lrtune.db";
  std::string dataset;
  std::string model;
  std::string optimizer;
  bool json = false;
};

std::string bound_text(const RangeBound& bound) {
  return bound.why == CannotTell::kCanTell ? fmt::format("{:.3g}", bound.rate)
                                           : "cannot tell: " + words(bound.why);
}

nlohmann::json bound_json(const RangeBound& bound) {
  if (bound.why == CannotTell::kCanTell) return bound.rate;
  return nullptr;
}

bool fits(const MeasuredRange& range, const RangesOptions& options) {
  const auto is = [](const std::string& wanted, const std::string& name) {
    return wanted.empty() || wanted == name;
  };
  return is(options.dataset, range.train.dataset.name) &&
         is(options.model, range.train.model.name) &&
         is(options.optimizer, range.train.optimizer.name);
}

int show(const RangesOptions& options) {
  const auto stored = PolicyQueries::open(options.store).and_then([](const PolicyQueries& store) {
    return store.everything();
  });
  if (!stored) {
    say("lrtune policies ranges: {}\n", stored.error().message);
    return kExitBadInput;
  }
  std::vector<MeasuredRange> ranges = measured_ranges(*stored);
  std::erase_if(ranges, [&](const MeasuredRange& range) { return !fits(range, options); });
  if (ranges.empty() && !options.json) {
    say("lrtune policies ranges: the store {} has no range test of such a training that is done; "
        "`lrtune range-test EXPERIMENT` makes one\n",
        options.store);
    return kExitDone;
  }
  const std::string text =
      options.json ? ranges_json(ranges).dump(2) + "\n" : ranges_text(ranges, terminal_of(1));
  return write_data(text) ? kExitDone : kExitFailure;
}

}  // namespace

std::string ranges_text(std::span<const MeasuredRange> ranges, const Terminal& terminal) {
  TextTable table({{.title = "campaign", .align = Align::kRight},
                   {.title = "name", .shrinks = true, .drop = 2},
                   {.title = "dataset"},
                   {.title = "model"},
                   {.title = "optimizer"},
                   {.title = "batch", .align = Align::kRight, .drop = 1},
                   {.title = "from", .shrinks = true},
                   {.title = "to", .shrinks = true}});
  for (const MeasuredRange& range : ranges) {
    const TrainSpec& train = range.train;
    table.add_row({std::to_string(range.campaign.value), range.name, train.dataset.name,
                   train.model.name, train.optimizer.name, std::to_string(train.batch),
                   bound_text(range.range.lower), bound_text(range.range.upper)});
  }
  return table.text(terminal);
}

nlohmann::json ranges_json(std::span<const MeasuredRange> ranges) {
  nlohmann::json list = nlohmann::json::array();
  for (const MeasuredRange& range : ranges) {
    list.push_back({{"campaign", range.campaign.value},
                    {"name", range.name},
                    {"dataset", range.train.dataset.name},
                    {"model", range.train.model.name},
                    {"optimizer", range.train.optimizer.name},
                    {"batch", range.train.batch},
                    {"lower", bound_json(range.range.lower)},
                    {"upper", bound_json(range.range.upper)}});
  }
  return list;
}

void add_ranges_command(CLI::App& policies, int& exit_code) {
  CLI::App* command = policies.add_subcommand(
      "ranges", "Learning rates that range tests found worth searching, the newest test first");
  const auto options = std::make_shared<RangesOptions>();
  command->add_option("--dataset", options->dataset, "Only tests on this data set")
      ->type_name("NAME");
  command->add_option("--model", options->model, "Only tests of this model")->type_name("NAME");
  command->add_option("--optimizer", options->optimizer, "Only tests under this optimizer")
      ->type_name("NAME");
  command->add_option("--store", options->store, "The policy store")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = show(*options); });
}

}  // namespace lrtune
