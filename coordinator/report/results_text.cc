#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "common/policy/policy_json.h"
#include "coordinator/report/results.h"

namespace lrtune {
namespace {

constexpr std::size_t kMaxRows = 30;

std::string fixed(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : std::string("-");
}

// One value has no deviation.
std::string with_deviation(const MeanAndDeviation& value, int digits, int values) {
  if (values < 2) return fixed(value.mean, digits);
  return fixed(value.mean, digits) + " ± " + fixed(value.deviation, digits);
}

std::string note(const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::kDiverged:
      return fmt::format("diverged at {}", outcome.iteration);
    case OutcomeKind::kStopped:
      return fmt::format("stopped early at {}", outcome.iteration);
    case OutcomeKind::kFailed:
    case OutcomeKind::kFailedHere:
      return std::string(name_of(outcome.kind));
    case OutcomeKind::kTimeLimit:
      return fmt::format("time over at {}", outcome.iteration);
    case OutcomeKind::kTargetReached:
      return fmt::format("stopped at {}", outcome.iteration);
    case OutcomeKind::kCompleted:
      break;
  }
  return {};
}

const MetricPoint& loss_point(const Scores& scores, RankAt at) {
  return at == RankAt::kBest ? scores.lowest_loss : scores.final;
}

// What a ranking by seconds goes by; other rankings' tables have iterations alone.
constexpr const char* kSecondsColumn = "s to target";

// `longest`: iterations of the longest run of the search; halving leaves others shorter.
std::vector<std::string> search_row(std::size_t number, const PolicyResult& policy,
                                    const CampaignResults& results, std::int64_t longest) {
  const RankAt at = results.at;
  const bool by_seconds = results.by == RankBy::kSeconds;
  const TrialResult& result = policy.search;
  const Scores& scores = result.scores;
  std::vector<std::string> row{fmt::to_string(number), fmt::to_string(result.trial.id.value),
                               policy.words()};
  if (scores.measured) {
    row.insert(
        row.end(),
        {fixed(scores.best.evaluated.top1, 4), fmt::to_string(scores.best.iteration),
         fixed(scores.final.evaluated.top1, 4), fixed(loss_point(scores, at).evaluated.loss, 4),
         scores.target_iteration ? fmt::to_string(*scores.target_iteration) : "-",
         fixed(scores.seconds, 1), fixed(scores.loss_difference(at), 4)});
    if (by_seconds) row.push_back(scores.target_iteration ? fixed(scores.target_seconds, 1) : "-");
  }
  row.resize(by_seconds ? 11 : 10, "-");
  const bool short_run =
      result.outcome.kind == OutcomeKind::kCompleted && result.trial.plan.iterations < longest;
  row.push_back(short_run ? fmt::format("rung at {}", result.outcome.iteration)
                          : note(result.outcome));
  return row;
}

std::string order_words(const CampaignResults& results) {
  return fmt::format("by {} ({})", name_of(results.by), name_of(results.at));
}

ResultTable search_table(const CampaignResults& results) {
  std::vector<TableColumn> columns = {{"rank", Align::kRight},
                                      {"trial", Align::kRight},
                                      {"policy", Align::kLeft, true},
                                      {"top-1", Align::kRight},
                                      {"at", Align::kRight, false, 3},
                                      {"final", Align::kRight, false, 4},
                                      {"loss", Align::kRight, false, 1},
                                      {"to target", Align::kRight, false, 2},
                                      {"seconds", Align::kRight, false, 5},
                                      {"loss diff", Align::kRight, false, 6}};
  if (results.by == RankBy::kSeconds) columns.push_back({kSecondsColumn, Align::kRight});
  columns.push_back({"", Align::kLeft});
  TextTable table(std::move(columns));
  std::int64_t longest = 0;
  for (const PolicyResult& result : results.policies)
    longest = std::max(longest, result.search.trial.plan.iterations);
  const std::size_t rows = std::min(results.policies.size(), kMaxRows);
  for (std::size_t i = 0; i < rows; ++i) {
    const PolicyResult& result = results.policies[i];
    const Ink ink = !result.search.scores.ended_well ? Ink::kBad
                    : i == 0                         ? Ink::kGood
                                                     : Ink::kPlain;
    table.add_row(search_row(i + 1, result, results, longest), ink);
  }
  return {fmt::format("{}: {} {} ranked {}, evaluated on the {} part", results.campaign.name,
                      results.policies.size(), results.policies.size() == 1 ? "policy" : "policies",
                      order_words(results), name_of(results.evaluated_on)),
          std::move(table), results.policies.size() - rows};
}

std::vector<std::string> verified_row(std::size_t number, const PolicyResult& result,
                                      bool by_seconds) {
  const RepeatedScores& scores = *result.verified;
  std::vector<std::string> row{fmt::to_string(number), fmt::to_string(result.search.trial.id.value),
                               result.words(), fmt::to_string(scores.repeats)};
  if (scores.ended_well > 0) {
    row.push_back(with_deviation(scores.top1, 4, scores.ended_well));
    row.push_back(with_deviation(scores.loss, 4, scores.ended_well));
    row.push_back(scores.met_target == 0
                      ? "-"
                      : with_deviation(scores.target_iteration, 0, scores.met_target));
    row.push_back(with_deviation(scores.seconds, 1, scores.ended_well));
    row.push_back(with_deviation(scores.loss_difference, 4, scores.ended_well));
    if (by_seconds) {
      row.push_back(scores.met_target == 0
                        ? "-"
                        : with_deviation(scores.target_seconds, 1, scores.met_target));
    }
  }
  row.resize(by_seconds ? 10 : 9, "-");
  row.push_back(scores.ended_well < scores.repeats
                    ? fmt::format("{} did not end well", scores.repeats - scores.ended_well)
                    : std::string());
  return row;
}

ResultTable verified_table(const CampaignResults& results) {
  std::vector<TableColumn> columns = {{"rank", Align::kRight},
                                      {"trial", Align::kRight},
                                      {"policy", Align::kLeft, true},
                                      {"repeats", Align::kRight, false, 3},
                                      {"top-1", Align::kRight},
                                      {"loss", Align::kRight, false, 1},
                                      {"to target", Align::kRight, false, 2},
                                      {"seconds", Align::kRight, false, 4},
                                      {"loss diff", Align::kRight, false, 5}};
  const bool by_seconds = results.by == RankBy::kSeconds;
  if (by_seconds) columns.push_back({kSecondsColumn, Align::kRight});
  columns.push_back({"", Align::kLeft});
  TextTable table(std::move(columns));
  for (std::size_t i = 0; i < results.verified.size(); ++i) {
    table.add_row(verified_row(i + 1, results.policies[results.verified[i]], by_seconds),
                  i == 0 ? Ink::kGood : Ink::kPlain);
  }
  return {fmt::format("Verified with new seeds (mean ± sample deviation), ranked {}",
                      order_words(results)),
          std::move(table)};
}

std::vector<std::string> tolerance_row(const CampaignResults& results, const PolicyResult& policy) {
  std::vector<std::string> row{fmt::to_string(policy.search.trial.id.value), policy.words()};
  std::vector<Scores> scores;
  for (const double scale : results.scales) {
    const auto run = std::ranges::find(policy.scaled, scale,
                                       [](const TrialResult& one) { return one.trial.scale; });
    if (run == policy.scaled.end()) {
      row.emplace_back("-");
      continue;
    }
    scores.push_back(run->scores);
    row.push_back(run->scores.ended_well ? fixed(run->scores.best.evaluated.top1, 4)
                                         : note(run->outcome));
  }
  const Tolerance all = tolerance(scores);
  row.push_back(all.top1 ? with_deviation(*all.top1, 4, all.ended_well) : "-");
  return row;
}

ResultTable tolerance_table(const CampaignResults& results) {
  std::vector<TableColumn> columns{{"trial", Align::kRight}, {"policy", Align::kLeft, true}};
  for (const double scale : results.scales)
    columns.push_back({fmt::format("x{}", scale), Align::kRight});
  columns.push_back({"over all scales", Align::kRight, false, 1});
  TextTable table(std::move(columns));
  for (const PolicyResult* policy : results.top(results.policies.size())) {
    if (!policy->scaled.empty()) table.add_row(tolerance_row(results, *policy), Ink::kPlain);
  }
  return {"Tolerance: best top-1 with all rates scaled", std::move(table)};
}

// Of trials that say something: why one failed, which images were skipped, on which numerics an
// inexact one went on. That a loss was not finite is in the tables.
std::vector<std::string> messages(const CampaignResults& results) {
  constexpr std::size_t kMostLines = 10;
  std::map<std::string, std::vector<std::int64_t>> trials;  // by what they say
  const auto note = [&](const TrialResult& result) {
    if (!result.outcome.message.empty() && result.outcome.kind != OutcomeKind::kDiverged)
      trials[result.outcome.message].push_back(result.trial.id.value);
  };
  for (const PolicyResult& policy : results.policies) {
    note(policy.search);
    std::ranges::for_each(policy.repeats, note);
    for (const TrialResult& run : policy.scaled) {
      if (run.trial.phase == TrialPhase::kTolerance) note(run);
    }
  }
  std::vector<std::string> lines;
  for (auto& [message, said_by] : trials) {
    if (lines.size() == kMostLines) {
      lines.push_back(fmt::format("{} more; lrtune why TRIAL tells", trials.size() - kMostLines));
      break;
    }
    std::ranges::sort(said_by);
    lines.push_back(said_by.size() == 1 ? fmt::format("Trial {}: {}", said_by.front(), message)
                                        : fmt::format("Trial {} and {} more: {}", said_by.front(),
                                                      said_by.size() - 1, message));
  }
  return lines;
}

// What did not have to be trained, and why not.
std::string cost_text(const CampaignResults& results) {
  const TrainingCost& cost = results.cost;
  if (cost.asked == 0) return {};
  std::vector<std::string> why;
  if (cost.shared > 0) why.push_back(fmt::format("{} are beginnings that runs share", cost.shared));
  if (cost.known > 0) why.push_back(fmt::format("{} were trained before", cost.known));
  if (cost.early > 0) why.push_back(fmt::format("{} were left when runs ended early", cost.early));
  return fmt::format("{} of the {} iterations asked for were trained ({:.1f} %){}{}.", cost.trained,
                     cost.asked,
                     100.0 * static_cast<double>(cost.trained) / static_cast<double>(cost.asked),
                     why.empty() ? "" : ": ", fmt::join(why, ", "));
}

std::string quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string csv_line(std::size_t rank, const std::string& name, const TrialResult& result,
                     RankAt at) {
  const Scores& s = result.scores;
  const auto measured = [&](double value) {
    return s.measured && std::isfinite(value) ? fmt::format("{}", value) : std::string();
  };
  const auto iteration = [&](std::int64_t value) {
    return s.measured ? fmt::to_string(value) : std::string();
  };
  const std::vector<std::string> fields{
      fmt::to_string(rank),
      fmt::to_string(result.trial.id.value),
      std::string(name_of(result.trial.phase)),
      fmt::to_string(result.trial.repeat),
      name.empty() ? std::string() : quoted(name),
      quoted(to_json(result.trial.policy).dump()),
      std::string(name_of(result.outcome.kind)),
      fmt::to_string(result.outcome.iteration),
      measured(s.best.evaluated.top1),
      iteration(s.best.iteration),
      measured(s.final.evaluated.top1),
      measured(loss_point(s, at).evaluated.loss),
      s.target_iteration ? fmt::to_string(*s.target_iteration) : std::string(),
      measured(s.seconds),
      measured(s.loss_difference(at)),
      fmt::to_string(result.trial.scale),
      fmt::format("{:.6g}", result.iterations_paid),
      s.target_iteration ? measured(s.target_seconds) : std::string(),
  };
  return fmt::format("{}\r\n", fmt::join(fields, ","));
}

}  // namespace

std::vector<ResultTable> result_tables(const CampaignResults& results) {
  std::vector<ResultTable> tables;
  tables.push_back(search_table(results));
  if (!results.verified.empty()) tables.push_back(verified_table(results));
  if (std::ranges::any_of(results.policies, [](const auto& one) { return !one.scaled.empty(); }))
    tables.push_back(tolerance_table(results));
  return tables;
}

std::string state_line(const CampaignResults& results) {
  std::int64_t ended = 0;
  for (const PolicyResult& policy : results.policies) {
    ended += 1 + std::ssize(policy.repeats);
    ended += std::ranges::count(policy.scaled, TrialPhase::kTolerance,
                                [](const TrialResult& run) { return run.trial.phase; });
  }
  const CampaignRecord& campaign = results.campaign;
  std::string line =
      fmt::format("{}{}", name_of(campaign.state), campaign.paused ? ", paused" : "");
  if (!campaign.failure.empty()) line += fmt::format(" ({})", campaign.failure);
  if (campaign.busy_seconds > 0) line += fmt::format(", {:.1f} s of work", campaign.busy_seconds);
  line += fmt::format("; {} {} ended", ended, ended == 1 ? "trial has" : "trials have");
  if (results.open > 0) line += fmt::format(", {} have not", results.open);
  return line;
}

std::vector<std::string> result_notes(const CampaignResults& results) {
  std::vector<std::string> notes;
  if (std::string cost = cost_text(results); !cost.empty()) notes.push_back(std::move(cost));
  std::ranges::move(messages(results), std::back_inserter(notes));
  return notes;
}

std::string results_text(const CampaignResults& results, const Terminal& terminal) {
  std::string text;
  for (const ResultTable& one : result_tables(results)) {
    text += (text.empty() ? "" : "\n") + paint(one.title, Ink::kBold, terminal.colour) + '\n' +
            one.table.text(terminal);
    if (one.left_out > 0) text += fmt::format("... and {} more\n", one.left_out);
  }
  const std::string cost = cost_text(results);
  if (!cost.empty()) text += '\n' + cost + '\n';
  const std::vector<std::string> said = messages(results);
  if (!said.empty()) text += fmt::format("\n{}\n", fmt::join(said, "\n"));
  return text;
}

std::string m_opt_csv(const CampaignResults& results) {
  std::string text;
  for (const PolicyResult& policy : results.policies) {
    for (const MoptValue& value : policy.search.m_opt()) {
      if (text.empty()) text = "trial,iteration,learning_rate,m_opt\r\n";
      text += fmt::format("{},{},{},{}\r\n", policy.search.trial.id.value, value.iteration,
                          value.learning_rate, value.m_opt ? fmt::to_string(*value.m_opt) : "");
    }
  }
  return text;
}

std::string to_csv(const CampaignResults& results) {
  std::string text =
      "rank,trial,phase,repeat,name,policy,outcome,ended_at_iteration,best_top1,best_top1_"
      "iteration,"
      "final_top1,loss,target_iteration,seconds,loss_difference,scale,iterations_paid,target_"
      "seconds\r\n";
  for (std::size_t i = 0; i < results.policies.size(); ++i) {
    text += csv_line(i + 1, results.policies[i].name, results.policies[i].search, results.at);
  }
  for (std::size_t i = 0; i < results.verified.size(); ++i) {
    const PolicyResult& policy = results.policies[results.verified[i]];
    for (const TrialResult& repeat : policy.repeats) {
      text += csv_line(i + 1, policy.name, repeat, results.at);
    }
  }
  for (std::size_t i = 0; i < results.policies.size(); ++i) {
    for (const TrialResult& run : results.policies[i].scaled) {
      if (run.trial.phase == TrialPhase::kTolerance)
        text += csv_line(i + 1, results.policies[i].name, run, results.at);
    }
  }
  return text;
}

}  // namespace lrtune
