#include "coordinator/cli/policies_text.h"

#include <fmt/format.h>

#include <cmath>

#include "common/policy/policy_json.h"
#include "common/policy/policy_yaml.h"
#include "coordinator/cli/text_table.h"

namespace lrtune {
namespace {

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : std::string("-");
}

// "0.9833", or "0.9833 ± 0.0004" of several runs.
std::string mean(const MeanAndDeviation& value, int digits, int runs) {
  if (runs == 0) return "-";
  return runs == 1
             ? number(value.mean, digits)
             : fmt::format("{} ± {}", number(value.mean, digits), number(value.deviation, digits));
}

std::string training_of(const PolicyEntry& entry) {
  return fmt::format("{} on {}, {}", entry.train.model, entry.train.dataset.name,
                     entry.train.optimizer.name);
}

// What the runs' number does not say: those that have not ended, and those that did not end well.
std::string remark_of(const PolicyEntry& entry) {
  std::string remark;
  const int bad = entry.scores.repeats - entry.scores.ended_well;
  if (bad > 0) remark = fmt::format("{} did not end well", bad);
  if (entry.open > 0)
    remark += fmt::format("{}{} not ended", remark.empty() ? "" : ", ", entry.open);
  return remark;
}

std::vector<std::string> entry_row(const PolicyEntry& entry) {
  const RepeatedScores& scores = entry.scores;
  const int runs = scores.ended_well;
  return {fmt::to_string(entry.id),
          entry.description,
          training_of(entry),
          fmt::to_string(entry.plan.iterations),
          fmt::to_string(scores.repeats),
          mean(scores.top1, 4, runs),
          mean(scores.loss, 4, runs),
          mean(scores.target_iteration, 0, scores.met_target),
          mean(scores.seconds, 1, runs),
          mean(scores.loss_difference, 4, runs),
          remark_of(entry)};
}

std::string result_of(const PolicyRun& run) {
  if (run.outcome == OutcomeKind::kCompleted) return "done";
  if (run.outcome == OutcomeKind::kTargetReached) return fmt::format("stopped at {}", run.ended_at);
  if (run.outcome == OutcomeKind::kDiverged) return fmt::format("diverged at {}", run.ended_at);
  return "failed";
}

std::vector<std::string> run_row(const PolicyRun& run, RankAt at) {
  const Scores& scores = run.scores;
  std::vector<std::string> row = {
      fmt::to_string(run.trial.value), fmt::to_string(run.campaign.value),
      std::string(name_of(run.phase)), fmt::to_string(run.repeat), result_of(run)};
  if (scores.measured) {
    const MetricPoint& loss = at == RankAt::kBest ? scores.lowest_loss : scores.final;
    row.push_back(number(scores.best.evaluated.top1, 4));
    row.push_back(fmt::to_string(scores.best.iteration));
    row.push_back(number(scores.final.evaluated.top1, 4));
    row.push_back(number(loss.evaluated.loss, 4));
    row.push_back(scores.target_iteration ? fmt::to_string(*scores.target_iteration) : "-");
    row.push_back(number(scores.seconds, 1));
    row.push_back(number(scores.loss_difference(at), 4));
  }
  row.resize(12, "-");
  return row;
}

std::string runs_table(const PolicyEntry& entry, RankAt at) {
  TextTable table({{"trial", Align::kRight},
                   {"campaign", Align::kRight},
                   {"phase", Align::kLeft},
                   {"repeat", Align::kRight},
                   {"result", Align::kLeft},
                   {"top-1", Align::kRight},
                   {"at", Align::kRight},
                   {"final", Align::kRight},
                   {"loss", Align::kRight},
                   {"to target", Align::kRight},
                   {"seconds", Align::kRight},
                   {"loss diff", Align::kRight}});
  for (const PolicyRun& run : entry.runs) table.add_row(run_row(run, at));
  return table.text({});
}

std::string target_words(const RunPlan& plan) {
  if (!plan.target) return "no target";
  return fmt::format("target {} {}", name_of(plan.target->measure), plan.target->value);
}

std::string use_words(const PolicyEntry& entry, RankAt at) {
  const OptimizerSpec& optimizer = entry.train.optimizer;
  std::string words = fmt::format("{} on {}, batch {}, {}", entry.train.model,
                                  entry.train.dataset.name, entry.train.batch, optimizer.name);
  if (optimizer.name == "momentum") words += fmt::format(" {}", optimizer.momentum);
  words += fmt::format(", weight decay {}\n{} iterations, evaluated on the {} part, {}\n",
                       optimizer.weight_decay, entry.plan.iterations,
                       name_of(entry.plan.evaluate_on), target_words(entry.plan));
  if (entry.runs.empty()) return words + "no run has ended\n";
  words += runs_table(entry, at);
  if (entry.scores.ended_well > 1) {
    words += fmt::format("top-1 {}, loss {} over {} runs\n", mean(entry.scores.top1, 4, 2),
                         mean(entry.scores.loss, 4, 2), entry.scores.ended_well);
  }
  return words;
}

// Each line as a YAML comment.
std::string commented(const std::string& text, bool colour) {
  std::string comments;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = end == begin ? "#" : "# " + text.substr(begin, end - begin);
    comments += paint(line, Ink::kDim, colour) + "\n";
    begin = end + 1;
  }
  return comments;
}

nlohmann::json run_json(const PolicyRun& run, RankAt at) {
  return {{"trial", run.trial.value},
          {"campaign", run.campaign.value},
          {"phase", name_of(run.phase)},
          {"repeat", run.repeat},
          {"seed", run.seed},
          {"state", name_of(run.state)},
          {"ended_at", run.ended_at},
          {"outcome", name_of(run.outcome)},
          {"scores", to_json(run.scores, at)}};
}

}  // namespace

std::string policies_table(const std::vector<PolicyEntry>& entries, bool ranked,
                           const Terminal& terminal) {
  std::vector<TableColumn> columns = {{"id", Align::kRight},
                                      {"policy", Align::kLeft, true},
                                      {"trained", Align::kLeft, true},
                                      {"iterations", Align::kRight},
                                      {"runs", Align::kRight},
                                      {"top-1", Align::kRight},
                                      {"loss", Align::kRight},
                                      {"to target", Align::kRight},
                                      {"seconds", Align::kRight},
                                      {"loss diff", Align::kRight},
                                      {"", Align::kLeft}};
  if (ranked) columns.insert(columns.begin(), {"rank", Align::kRight});
  TextTable table(std::move(columns));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::vector<std::string> row = entry_row(entries[i]);
    if (ranked) row.insert(row.begin(), fmt::to_string(i + 1));
    const bool well = entries[i].scores.ended_well == entries[i].scores.repeats;
    table.add_row(std::move(row), !well ? Ink::kBad : ranked && i == 0 ? Ink::kGood : Ink::kPlain);
  }
  return table.text(terminal);
}

std::string policy_page(const std::vector<PolicyEntry>& entries, RankAt at,
                        const Terminal& terminal) {
  const PolicyEntry& first = entries.front();
  std::string page =
      commented(fmt::format("policy {}: {}\n", first.id, first.description), terminal.colour);
  page += policy_to_yaml(first.policy);
  for (const PolicyEntry& entry : entries)
    page += commented("\n" + use_words(entry, at), terminal.colour);
  return page;
}

nlohmann::json policies_json(const std::vector<PolicyEntry>& entries, RankAt at) {
  nlohmann::json list = nlohmann::json::array();
  for (const PolicyEntry& entry : entries) {
    nlohmann::json runs = nlohmann::json::array();
    for (const PolicyRun& run : entry.runs) runs.push_back(run_json(run, at));
    list.push_back({{"id", entry.id},
                    {"policy", to_json(entry.policy)},
                    {"description", entry.description},
                    {"identity", entry.identity.hex()},
                    {"train", to_json(entry.train)},
                    {"run", to_json(entry.plan)},
                    {"open", entry.open},
                    {"runs", std::move(runs)},
                    {"scores", to_json(entry.scores)}});
  }
  return list;
}

}  // namespace lrtune
