#include "common/config/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "common/config/campaign_size.h"
#include "common/config/experiment_reader.h"
#include "common/config/from_range_test.h"
#include "common/config/located_json.h"
#include "common/json_reader.h"

namespace lrtune {
namespace {

constexpr std::array<std::string_view, 8> kMethodNames = {"list",    "grid", "random", "sobol",
                                                          "halving", "asha", "tpe",    "tree"};
constexpr std::array<std::string_view, 5> kRankByNames = {"top1", "loss", "cost", "robustness",
                                                          "seconds"};
constexpr std::array<std::string_view, 2> kRankAtNames = {"best", "final"};

Result<Experiment> checked_experiment(const nlohmann::json& json) {
  auto experiment = read_experiment(json);
  if (!experiment) return experiment;
  if (auto checked = check_campaign_size(*experiment); !checked)
    return tl::unexpected(checked.error());
  if (auto checked = check_templates(*experiment); !checked) return tl::unexpected(checked.error());
  // The templates again, from their normal form: defaults are theirs, too, and candidates of the
  // file and of the store are the same to the last byte.
  const nlohmann::json normal = normal_form(*experiment);
  const std::string text = normal.dump();
  if (text.size() > kMostNormalBytes) {
    return fail(
        fmt::format("the experiment has {} bytes in its normal form; at most {} are "
                    "allowed",
                    text.size(), kMostNormalBytes));
  }
  experiment = read_experiment(normal);
  if (!experiment) return experiment;
  experiment->normalised = normal;
  experiment->hash = sha256(text);
  return experiment;
}

}  // namespace

Result<Experiment> experiment_from_yaml(const std::string& text, const std::string& file,
                                        const Result<RangeFinding>& range) {
  auto located = located_json_from_yaml(text, file);
  if (!located) return tl::unexpected(located.error());
  if (auto filled = fill_from_range_test(located->json, range); !filled)
    return tl::unexpected(located->located(filled.error()));
  auto experiment = checked_experiment(located->json);
  if (!experiment) return tl::unexpected(located->located(experiment.error()));
  return experiment;
}

std::string derived_name(std::string_view name, std::string_view suffix) {
  return std::string(name.substr(0, kMostNameLetters - suffix.size())).append(suffix);
}

Result<Experiment> experiment_from_yaml(const std::string& text, const std::string& file) {
  return experiment_from_yaml(text, file,
                              fail("no range test is known here; write the rates down"));
}

bool takes_range_test(const std::string& text) {
  auto json = yaml_to_json(text, "");
  return json && fill_from_range_test(*json, kAnyRangeFinding).value_or(0) > 0;
}

Result<Experiment> experiment_from_json(const nlohmann::json& json) {
  auto experiment = checked_experiment(json);
  if (!experiment) {
    const Error& error = experiment.error();
    if (error.path.empty()) return experiment;
    return fail(fmt::format("{} ({})", error.message, key_words(error.path)), error.path);
  }
  return experiment;
}

Result<Experiment> on_device(const Experiment& experiment, const std::string& device) {
  nlohmann::json normal = experiment.normalised;
  normal["train"]["device"] = device;
  return experiment_from_json(normal);
}

std::string_view name_of(SearchMethod method) {
  return kMethodNames[static_cast<std::size_t>(method)];
}

bool draws(SearchMethod method) {
  return method >= SearchMethod::kRandom && method != SearchMethod::kTree;
}
bool decides_by_results(SearchMethod method) { return method >= SearchMethod::kHalving; }
bool has_rungs(SearchMethod method) {
  return method == SearchMethod::kHalving || method == SearchMethod::kAsha ||
         method == SearchMethod::kTree;
}

std::string_view name_of(RankBy by) { return kRankByNames[static_cast<std::size_t>(by)]; }
std::string_view name_of(RankAt at) { return kRankAtNames[static_cast<std::size_t>(at)]; }

Result<RankBy> rank_by_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kRankByNames.size(); ++i) {
    if (kRankByNames[i] == name) return static_cast<RankBy>(i);
  }
  const std::vector<std::string> known(kRankByNames.begin(), kRankByNames.end());
  const auto near = nearest_name(name, known);
  return fail(fmt::format("a ranking is by one of {}, not '{}'{}", fmt::join(known, ", "), name,
                          near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

}  // namespace lrtune
