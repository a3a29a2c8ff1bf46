// The normal form of experiments: what two files must share to be the same experiment.
#include <fmt/format.h>

#include <algorithm>

#include "common/config/experiment_reader.h"
#include "common/config/template.h"
#include "common/policy/policy.h"

namespace lrtune {
namespace {

nlohmann::json number(double value) { return canonical(value); }

void fill_in(nlohmann::json& map, const char* key, nlohmann::json value) {
  if (!map.contains(key)) map[key] = std::move(value);
}

bool has_domain(const Template& train, const char* part) {
  return std::any_of(train.holes.begin(), train.holes.end(), [&](const Template::Hole& hole) {
    return hole.place.to_string().starts_with(part);
  });
}

void fill_in_model(nlohmann::json& json, const Template& train) {
  if (has_domain(train, "/model")) return;
  const auto model = model_from_json(train.tree.at("model"));
  if (model) json["model"] = canonical(to_json(*model));
}

// What is done to the pixels depends on data set and model; where those are domains, on the draw.
void fill_in_input(nlohmann::json& json, const Template& train) {
  for (const char* part : {"/dataset", "/model", "/input"}) {
    if (has_domain(train, part)) return;
  }
  const auto dataset = dataset_from_json(train.tree.at("dataset"));
  const auto model = model_from_json(train.tree.at("model"));
  if (!dataset || !model) return;
  const nlohmann::json given = train.tree.value("input", nlohmann::json::object());
  const auto input = input_from_json(given, "", *dataset, *model);
  if (input) json["input"] = canonical(to_json(*input));
}

// Where the optimizer is a domain, the defaults that all of them share.
void fill_in_optimizer(nlohmann::json& optimizer) {
  nlohmann::json names = optimizer.at("name");
  names = names.is_object() ? names.at("choice") : nlohmann::json::array({names});
  const nlohmann::json defaults = optimizer_defaults(names.front());
  for (auto entry = defaults.begin(); entry != defaults.end(); ++entry) {
    const bool shared = std::all_of(names.begin(), names.end(), [&](const nlohmann::json& name) {
      const nlohmann::json others = optimizer_defaults(name);
      return others.contains(entry.key()) && others.at(entry.key()) == entry.value();
    });
    if (shared) fill_in(optimizer, entry.key().c_str(), canonical(entry.value()));
  }
}

nlohmann::json normal_train(const Template& train) {
  nlohmann::json json = to_json(train);
  const nlohmann::json defaults = to_json(TrainSpec{});
  for (const char* key : {"device", "threads"}) fill_in(json, key, defaults[key]);
  fill_in(json, "validation", kDefaultValidation);
  fill_in_optimizer(json["optimizer"]);
  if (json["dataset"].value("path", nlohmann::json()) == "") json["dataset"].erase("path");
  fill_in_model(json, train);
  fill_in_input(json, train);
  return json;
}

void normalise_function(nlohmann::json& map) {
  if (map.value("from_t", nlohmann::json()) == 0) map.erase("from_t");
  if (map.value("function", nlohmann::json()) == "poly") fill_in(map, "k1", 0);
}

nlohmann::json normal_policy(const Template& policy) {
  nlohmann::json json = to_json(policy);
  if (json.contains("controller")) {
    for (nlohmann::json& function : json["functions"]) normalise_function(function);
    const Plateau defaults;
    fill_in(json, "metric", std::string(name_of(defaults.metric)));
    fill_in(json, "window", defaults.window);
    fill_in(json, "threshold", canonical(defaults.threshold));
    fill_in(json, "cooldown", defaults.cooldown);
  } else if (!json.contains("segments")) {
    normalise_function(json);
  } else {
    for (nlohmann::json& segment : json["segments"]) normalise_function(segment);
  }
  return json;
}

nlohmann::json normal_interval(const RunLength& length) {
  if (length.epochs > 0) return canonical(fmt::format("{} epochs", length.epochs));
  return length.iterations;
}

nlohmann::json normal_run(const Experiment& experiment) {
  nlohmann::json run = {{"evaluate",
                         {{"every", normal_interval(experiment.evaluate_every)},
                          {"on", std::string(name_of(experiment.evaluate_on))},
                          {"train_samples", experiment.train_subset}}},
                        {"stop_at_target", experiment.stop_at_target}};
  if (experiment.length.epochs > 0) {
    run["epochs"] = number(experiment.length.epochs);
  } else {
    run["iterations"] = experiment.length.iterations;
  }
  if (experiment.target) {
    run["target"] = {
        {std::string(name_of(experiment.target->measure)), number(experiment.target->value)}};
  }
  if (experiment.m_opt_every != RunLength{})
    run["m_opt"] = {{"every", normal_interval(experiment.m_opt_every)}};
  if (experiment.max_seconds) run["max_seconds"] = number(*experiment.max_seconds);
  return run;
}

nlohmann::json normal_stop(const StopRules& stop) {
  nlohmann::json json;
  if (stop.median) {
    json["median"] = {{"others", stop.median_others}};
    if (stop.median_after != RunLength{})
      json["median"]["after"] = normal_interval(stop.median_after);
  }
  if (stop.cannot_win) json["cannot_win"] = {{"places", stop.cannot_win_places}};
  return json;
}

nlohmann::json normal_search(const Experiment& experiment) {
  nlohmann::json search = {{"method", std::string(name_of(experiment.method))},
                           {"policies", nlohmann::json::array()}};
  if (draws(experiment.method)) search["count"] = experiment.count;
  if (has_rungs(experiment.method)) {
    search["draw"] = name_of(experiment.drawn_by);
  }
  if (experiment.method == SearchMethod::kTree) {
    search["boundaries"] = nlohmann::json::array();
    for (const RunLength& boundary : experiment.boundaries)
      search["boundaries"].push_back(normal_interval(boundary));
    search["keep"] = experiment.keep;
    if (experiment.drawn_by != SearchMethod::kGrid) search["tries"] = experiment.tries;
  } else if (has_rungs(experiment.method)) {
    search["first_rung"] = normal_interval(experiment.first_rung);
    search["eta"] = experiment.eta;
  }
  if (experiment.method == SearchMethod::kTpe) {
    search["startup"] = experiment.tpe_startup;
    search["good"] = number(experiment.tpe_good);
    search["ei_candidates"] = experiment.tpe_draws;
  }
  if (experiment.stop.any()) search["stop"] = normal_stop(experiment.stop);
  for (const Template& policy : experiment.policies) {
    search["policies"].push_back(normal_policy(policy));
  }
  return search;
}

}  // namespace

nlohmann::json normal_form(const Experiment& experiment) {
  nlohmann::json json = {{"name", experiment.name},
                         {"train", normal_train(experiment.train)},
                         {"run", normal_run(experiment)},
                         {"seed", experiment.seed},
                         {"search", normal_search(experiment)},
                         {"rank",
                          {{"by", std::string(name_of(experiment.rank_by))},
                           {"at", std::string(name_of(experiment.rank_at))}}}};
  if (experiment.verify_top > 0) {
    json["verify"] = {{"top", experiment.verify_top}, {"repeats", experiment.verify_repeats}};
    if (experiment.verify_settled) json["verify"]["settled"] = number(*experiment.verify_settled);
  }
  if (experiment.tolerance_top > 0) {
    nlohmann::json scales = nlohmann::json::array();
    for (const double scale : experiment.tolerance_scales) scales.push_back(number(scale));
    json["tolerance"] = {{"top", experiment.tolerance_top}, {"scales", std::move(scales)}};
  }
  return json;
}

}  // namespace lrtune
