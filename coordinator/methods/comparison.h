// Policies that a command holds against each other, each repeated with new seeds: what `verify` and
// `compose` have in common. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/report/results.h"

namespace lrtune {

// What a command made and somebody has extended since is longer than what it measures or compares.
// Errors: that campaign, and what helps.
Result<void> check_not_extended(const CampaignRecord& campaign);

// What the repeats of a policy that ended well have reached; none: it was not repeated.
std::vector<double> repeated_values(const PolicyResult& result, Measure measure, RankAt at);

// How a policy did alone and over its repeats: policy, description, name, trial, its scores,
// `verified`.
nlohmann::json outcome_json(const PolicyResult& result, const CampaignResults& results);

// Is the first really better than the second? difference, low, high and p of Welch's test over the
// repeats; null if one of them has fewer than two.
nlohmann::json settled_json(const PolicyResult& first, const PolicyResult& second, Measure measure,
                            RankAt at);

// A line for people of what outcome_json() gives. `measure`: "top1" or "loss".
std::string comparison_line(const nlohmann::json& one, const std::string& measure);
// The same of settled_json(), after `what`: "the best two differ"; empty for null.
std::string settled_line(const nlohmann::json& settled, const std::string& what);

// Adds the numbers of what outcome_json() gives to a flat record, under names that begin with
// `prefix`.
void add_outcome_numbers(nlohmann::json& numbers, const std::string& prefix,
                         const nlohmann::json& one, const std::string& measure);

}  // namespace lrtune
