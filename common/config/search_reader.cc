#include "common/config/search_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "common/config/campaign_size.h"
#include "common/config/length_reader.h"
#include "common/config/template.h"
#include "common/json_reader.h"
#include "common/policy/policy_json.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostEta = 100;
constexpr std::int64_t kMostDraws = 10'000;  // of one proposal of TPE

std::vector<std::string> texts(std::initializer_list<std::string_view> names) {
  return {names.begin(), names.end()};
}

// A label stands in every table and with every trial of the policy.
std::optional<Error> refuse_label(const nlohmann::json& policy, const std::string& path) {
  const auto name = policy.is_object() ? policy.find("name") : policy.end();
  if (name == policy.end() || !name->is_string()) return std::nullopt;
  const std::size_t size = name->get_ref<const std::string&>().size();
  if (size <= kMostLabelBytes) return std::nullopt;
  return Error{
      fmt::format("name of policy has {} bytes; at most {} are allowed", size, kMostLabelBytes),
      child_path(path, "name")};
}

void read_policies(ObjectReader& reader, Experiment& experiment) {
  const nlohmann::json* list = reader.required_raw("policies");
  if (list == nullptr || reader.failed()) return;
  if (!list->is_array() || list->empty() || list->size() > kMostPolicies) {
    return reader.error(
        "policies",
        fmt::format("policies of search must be a list of 1 to {} policies", kMostPolicies));
  }
  const std::string path = child_path(reader.path(), "policies");
  const bool tree = experiment.method == SearchMethod::kTree;
  const SearchMethod method = tree ? experiment.drawn_by : experiment.method;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (auto error = refuse_label((*list)[i], child_path(path, i))) return reader.error(*error);
    auto policy = policy_template_from_json((*list)[i], method, child_path(path, i));
    if (!policy) return reader.error(policy.error());
    experiment.policies.push_back(*std::move(policy));
  }
}

void read_rungs(ObjectReader& reader, Experiment& experiment) {
  static const std::vector<std::string> kDraw = texts({"random", "sobol"});
  if (const nlohmann::json* first = reader.required_raw("first_rung"); first != nullptr)
    experiment.first_rung =
        read_iterations(reader, "first_rung", *first, "first_rung of search", 1);
  experiment.eta = reader.integer("eta", 2, kMostEta, experiment.eta);
  experiment.drawn_by = reader.one_of("draw", kDraw, kDraw.front()) == "sobol"
                            ? SearchMethod::kSobol
                            : SearchMethod::kRandom;
}

// `boundaries: {every: M}` becomes a list when the length of the run is known.
std::optional<Error> read_every_boundary(const nlohmann::json& json, const std::string& path,
                                         Experiment& experiment) {
  ObjectReader reader(json, path, "boundaries");
  if (const nlohmann::json* every = reader.required_raw("every"); every != nullptr)
    experiment.boundary_every = read_iterations(reader, "every", *every, "every of boundaries", 1);
  return reader.finish();
}

std::optional<Error> read_boundary(const nlohmann::json& json, const std::string& path,
                                   Experiment& experiment) {
  const nlohmann::json named = {{"boundary", json}};
  ObjectReader reader(named, path, "boundaries");
  experiment.boundaries.push_back(
      read_iterations(reader, "boundary", *reader.raw("boundary"), "a boundary", 1));
  auto error = reader.finish();
  if (error) error->path = path;
  return error;
}

void read_boundaries(ObjectReader& reader, Experiment& experiment) {
  const nlohmann::json* boundaries = reader.required_raw("boundaries");
  if (boundaries == nullptr) return;
  const std::string path = child_path(reader.path(), "boundaries");
  if (boundaries->is_object()) {
    if (auto error = read_every_boundary(*boundaries, path, experiment)) reader.error(*error);
    return;
  }
  if (!boundaries->is_array() || boundaries->empty() || boundaries->size() >= kMostSegments) {
    return reader.error("boundaries",
                        fmt::format("boundaries of search must be a list of 1 to {} lengths, or "
                                    "{{every: LENGTH}}, not {}",
                                    kMostSegments - 1, boundaries->dump()));
  }
  for (std::size_t i = 0; i < boundaries->size(); ++i) {
    if (auto error = read_boundary((*boundaries)[i], child_path(path, i), experiment))
      return reader.error(*error);
  }
}

void read_tree(ObjectReader& reader, Experiment& experiment) {
  static const std::vector<std::string> kDraw = texts({"random", "sobol", "grid"});
  read_boundaries(reader, experiment);
  const std::string draw = reader.one_of("draw", kDraw, kDraw.front());
  if (draw == "sobol") experiment.drawn_by = SearchMethod::kSobol;
  if (draw == "grid") experiment.drawn_by = SearchMethod::kGrid;
  experiment.keep = reader.integer("keep", 1, kMostCandidates, experiment.keep);
  if (experiment.drawn_by != SearchMethod::kGrid) {
    experiment.tries = reader.required_integer("tries", 1, kMostCandidates);
  } else if (reader.has("tries")) {
    reader.error("tries", "draw: grid takes no tries: it tries every policy of the file");
  }
}

void read_tpe(ObjectReader& reader, Experiment& experiment) {
  experiment.tpe_startup = reader.integer("startup", 1, kMostCandidates, experiment.tpe_startup);
  experiment.tpe_good = reader.number("good", Range::open(0, 1), experiment.tpe_good);
  experiment.tpe_draws =
      static_cast<int>(reader.integer("ei_candidates", 1, kMostDraws, experiment.tpe_draws));
}

void refuse_keys(ObjectReader& reader, const std::string& method,
                 std::initializer_list<const char*> keys, const char* owners) {
  for (const char* key : keys) {
    if (reader.has(key))
      reader.error(key,
                   fmt::format("method {} takes no {}, which belongs to {}", method, key, owners));
  }
}

std::optional<Error> read_median(const nlohmann::json& json, const std::string& path,
                                 Experiment& experiment) {
  ObjectReader reader(json, path, "median");
  experiment.stop.median = true;
  if (const nlohmann::json* after = reader.raw("after"); after != nullptr)
    experiment.stop.median_after = read_iterations(reader, "after", *after, "after of median", 1);
  experiment.stop.median_others =
      reader.integer("others", 1, kMostCandidates, experiment.stop.median_others);
  return reader.finish();
}

std::optional<Error> read_cannot_win(const nlohmann::json& json, const std::string& path,
                                     Experiment& experiment) {
  ObjectReader reader(json, path, "cannot_win");
  experiment.stop.cannot_win = true;
  experiment.stop.cannot_win_places = reader.integer("places", 1, kMostCandidates, 1);
  return reader.finish();
}

std::optional<Error> read_stop(const nlohmann::json& json, const std::string& path,
                               Experiment& experiment) {
  ObjectReader reader(json, path, "stop");
  const nlohmann::json* median = reader.raw("median");
  const nlohmann::json* cannot_win = reader.raw("cannot_win");
  if (median == nullptr && cannot_win == nullptr) reader.error_missing({"median", "cannot_win"});
  if (median != nullptr) {
    if (auto error = read_median(*median, child_path(path, "median"), experiment))
      reader.error(*error);
  }
  if (cannot_win != nullptr) {
    if (auto error = read_cannot_win(*cannot_win, child_path(path, "cannot_win"), experiment))
      reader.error(*error);
  }
  return reader.finish();
}

// The keys of one method, and none of the others'.
void read_method(ObjectReader& reader, const std::string& method, Experiment& experiment) {
  const bool tree = experiment.method == SearchMethod::kTree;
  const bool tpe = experiment.method == SearchMethod::kTpe;
  const bool rungs = has_rungs(experiment.method) && !tree;
  if (draws(experiment.method)) {
    experiment.count = reader.required_integer("count", 1, kMostCandidates);
  } else if (reader.has("count")) {
    reader.error("count", fmt::format("method {} takes no count: {}; count belongs to methods "
                                      "that draw whole policies",
                                      method,
                                      tree ? "it has tries at each boundary"
                                           : "it runs every policy of the file"));
  }
  if (rungs) read_rungs(reader, experiment);
  if (tree) read_tree(reader, experiment);
  if (tpe) read_tpe(reader, experiment);
  if (!rungs) refuse_keys(reader, method, {"first_rung", "eta"}, "methods halving and asha");
  if (!rungs && !tree) refuse_keys(reader, method, {"draw"}, "methods halving, asha and tree");
  if (!tree) refuse_keys(reader, method, {"boundaries", "tries", "keep"}, "method tree");
  if (!tpe) refuse_keys(reader, method, {"startup", "good", "ei_candidates"}, "method tpe");
}

std::optional<Error> check_stop(const Experiment& experiment) {
  const StopRules& stop = experiment.stop;
  if (!stop.any()) return std::nullopt;
  if (has_rungs(experiment.method)) {
    return Error{fmt::format("method {} ends runs by itself: no stop is allowed",
                             name_of(experiment.method)),
                 "/search/stop"};
  }
  if (stop.cannot_win && experiment.rank_by != RankBy::kCost) {
    return Error{fmt::format("cannot_win compares iterations to the target: by of rank must be "
                             "cost, not {}",
                             name_of(experiment.rank_by)),
                 "/search/stop/cannot_win"};
  }
  if (stop.median && experiment.rank_by == RankBy::kRobustness) {
    return Error{
        "median compares accuracies or losses on the way: by of rank must be top1, loss, "
        "cost or seconds, not robustness",
        "/search/stop/median"};
  }
  return std::nullopt;
}

std::optional<Error> check_first_rung(const Experiment& experiment) {
  const RunLength& first = experiment.first_rung;
  if (first.iterations > experiment.length.iterations && experiment.length.iterations > 0) {
    return Error{fmt::format("first_rung of search must be at most the run's {} iterations, not {}",
                             experiment.length.iterations, first.iterations),
                 "/search/first_rung"};
  }
  if (first.epochs > experiment.length.epochs && experiment.length.epochs > 0) {
    return Error{fmt::format("first_rung of search must be at most the run's {} epochs, not {}",
                             experiment.length.epochs, first.epochs),
                 "/search/first_rung"};
  }
  return std::nullopt;
}

// {every: M} as a list; it ends below the run's length. Too many: as many as are too many.
void list_boundaries(Experiment& experiment) {
  const RunLength every = std::exchange(experiment.boundary_every, RunLength{});
  if (every == RunLength{}) return;
  for (std::int64_t i = 1; experiment.boundaries.size() < kMostSegments; ++i) {
    const RunLength next = {i * every.iterations, static_cast<double>(i) * every.epochs};
    if (next.epochs >= experiment.length.epochs && next.iterations >= experiment.length.iterations)
      return;
    experiment.boundaries.push_back(next);
  }
}

std::optional<Error> check_boundaries(Experiment& experiment) {
  const bool epochs = experiment.length.epochs > 0;
  const std::string unit = epochs ? "epochs" : "iterations";
  const std::string path = "/search/boundaries";
  const auto in_unit = [&](const RunLength& length) { return epochs == (length.epochs > 0); };
  const auto value = [&](const RunLength& length) {
    return epochs ? length.epochs : static_cast<double>(length.iterations);
  };
  if (experiment.boundary_every != RunLength{} && !in_unit(experiment.boundary_every))
    return Error{"boundaries must be counted as the run is, in " + unit, path};
  list_boundaries(experiment);
  if (experiment.boundaries.empty() || experiment.boundaries.size() >= kMostSegments) {
    return Error{fmt::format("every of boundaries must leave 1 to {} boundaries within the run's "
                             "{:g} {}",
                             kMostSegments - 1, value(experiment.length), unit),
                 path};
  }
  double before = 0;
  for (std::size_t i = 0; i < experiment.boundaries.size(); ++i) {
    const RunLength& boundary = experiment.boundaries[i];
    if (!in_unit(boundary))
      return Error{"boundaries must be counted as the run is, in " + unit, child_path(path, i)};
    if (value(boundary) <= before || value(boundary) >= value(experiment.length)) {
      return Error{fmt::format("boundaries must ascend and be below the run's {:g} {}",
                               value(experiment.length), unit),
                   child_path(path, i)};
    }
    before = value(boundary);
  }
  return std::nullopt;
}

std::optional<Error> check_tree(Experiment& experiment) {
  if (auto error = check_boundaries(experiment)) return error;
  for (std::size_t i = 0; i < experiment.policies.size(); ++i) {
    if (experiment.policies[i].tree.contains("segments")) {
      return Error{"method tree composes policies itself: each policy must be one function",
                   child_path("/search/policies", i)};
    }
  }
  return std::nullopt;
}

// What goes with whole runs alone.
std::optional<Error> check_rungs(const Experiment& experiment, const std::string& method) {
  if (experiment.stop_at_target)
    return Error{method + " ends each run at its rung: stop_at_target must be false",
                 "/run/stop_at_target"};
  if (experiment.max_seconds)
    return Error{method + " ends each run at its rung: no max_seconds is allowed",
                 "/run/max_seconds"};
  if (experiment.rank_by != RankBy::kTop1 && experiment.rank_by != RankBy::kLoss) {
    return Error{fmt::format("{} compares runs before their end: by of rank must be top1 or loss, "
                             "not {}",
                             method, name_of(experiment.rank_by)),
                 "/rank/by"};
  }
  for (std::size_t i = 0; i < experiment.policies.size(); ++i) {
    if (experiment.policies[i].tree.contains("controller")) {
      return Error{method + " makes runs longer step by step, which changes what a controller does",
                   child_path("/search/policies", i)};
    }
  }
  return std::nullopt;
}

// What a search by results cannot do.
std::optional<Error> check_search(Experiment& experiment) {
  const std::string method = fmt::format("method {}", name_of(experiment.method));
  if (!decides_by_results(experiment.method)) return std::nullopt;
  if (!experiment.train.holes.empty()) {
    const std::string place = experiment.train.holes.front().place.to_string();
    return Error{method + " compares policies on one training: train may hold no domain",
                 "/train" + place};
  }
  if (!has_rungs(experiment.method)) return std::nullopt;
  auto error = experiment.method == SearchMethod::kTree ? check_tree(experiment)
                                                        : check_first_rung(experiment);
  return error ? error : check_rungs(experiment, method);
}

}  // namespace

std::optional<Error> read_search(const nlohmann::json& json, const std::string& path,
                                 Experiment& experiment) {
  ObjectReader reader(json, path, "search");
  static const std::vector<std::string> kMethods =
      texts({"list", "grid", "random", "sobol", "halving", "asha", "tpe", "tree"});
  const std::string method = reader.one_of("method", kMethods);
  experiment.method = static_cast<SearchMethod>(
      std::find(kMethods.begin(), kMethods.end(), method) - kMethods.begin());
  read_method(reader, method, experiment);
  if (const nlohmann::json* stop = reader.raw("stop"); stop != nullptr) {
    if (auto error = read_stop(*stop, child_path(path, "stop"), experiment)) reader.error(*error);
  }
  read_policies(reader, experiment);
  return reader.finish();
}

std::optional<Error> complete_search(Experiment& experiment) {
  auto error = check_search(experiment);
  return error ? error : check_stop(experiment);
}

}  // namespace lrtune
