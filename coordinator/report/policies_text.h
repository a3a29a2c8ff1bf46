// Policies of the store as text and as JSON. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/report/terminal.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {

// One line a policy and its training, with the means over its runs; `ranked` puts the rank before.
// What was trained stands above the table if it is the same in every line. Empty without entries.
// `target_seconds` adds a column that others leave out.
std::string policies_table(const std::vector<PolicyEntry>& entries, bool ranked,
                           const Terminal& terminal, bool target_seconds = false);

// Its names in experiments and what it is: "A: composite: ...".
std::string policy_words(const PolicyEntry& entry);

// What was trained, if it is the same in all entries: "lenet on mnist, momentum, 2000 iterations";
// else empty.
std::string training_words(const std::vector<PolicyEntry>& entries);

// The policy as YAML, ready to paste; its trainings and runs stand around it as comments, so that
// the whole is YAML. `entries`: all uses of one policy, at least one.
std::string policy_page(const std::vector<PolicyEntry>& entries, RankAt at,
                        const Terminal& terminal);

// One object a policy and its training: id, policy, identity, run plan, runs with their scores,
// scores.
nlohmann::json policies_json(const std::vector<PolicyEntry>& entries, RankAt at);

}  // namespace lrtune
