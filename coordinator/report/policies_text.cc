#include "coordinator/report/policies_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "common/policy/policy_json.h"
#include "common/policy/policy_yaml.h"
#include "coordinator/ranking/published.h"
#include "coordinator/report/m_opt_text.h"
#include "coordinator/report/text_table.h"

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
  return fmt::format("{} on {}, {}", label(entry.train.model), entry.train.dataset.name,
                     entry.train.optimizer.name);
}

// "3", or "2/3" if only two of three ended well.
std::string runs_of(const RepeatedScores& scores) {
  return scores.ended_well == scores.repeats
             ? fmt::to_string(scores.repeats)
             : fmt::format("{}/{}", scores.ended_well, scores.repeats);
}

std::string mean_alone(const MeanAndDeviation& value, int digits, int runs) {
  return runs == 0 ? std::string("-") : number(value.mean, digits);
}

// What every line would say alike stands once above the table, so that the policies have room.
bool trained_alike(const std::vector<PolicyEntry>& entries) {
  return std::all_of(entries.begin(), entries.end(), [&](const PolicyEntry& entry) {
    return training_of(entry) == training_of(entries.front()) &&
           entry.plan.iterations == entries.front().plan.iterations;
  });
}

// What tells apart the run plans of one policy in one training and of one length.
std::string plan_words(const RunPlan& plan) {
  std::string words =
      fmt::format("on {}, every {}", name_of(plan.evaluate_on), plan.evaluate_every);
  if (plan.target) {
    words += fmt::format(", {} {} {:g}", plan.stop_at_target ? "ends at" : "target",
                         name_of(plan.target->measure), plan.target->value);
  }
  if (plan.max_seconds) words += fmt::format(", at most {:g} s", *plan.max_seconds);
  if (plan.m_opt_every > 0) words += fmt::format(", M-opt every {}", plan.m_opt_every);
  return words;
}

using Look = std::tuple<std::int64_t, std::string, std::int64_t>;

Look look_of(const PolicyEntry& entry) {
  return {entry.id, training_of(entry), entry.plan.iterations};
}

// How many entries would read the same.
std::map<Look, int> looks_of(const std::vector<PolicyEntry>& entries) {
  std::map<Look, int> looks;
  for (const PolicyEntry& entry : entries) ++looks[look_of(entry)];
  return looks;
}

struct Layout {
  bool ranked;
  bool alike;
  bool target_seconds;
};

std::vector<TableColumn> columns_of(const Layout& layout) {
  std::vector<TableColumn> columns;
  if (layout.ranked) columns.push_back({"rank", Align::kRight});
  columns.push_back({"id", Align::kRight});
  columns.push_back({"policy", Align::kLeft, true});
  if (!layout.alike) columns.push_back({"trained", Align::kLeft, true});
  if (!layout.alike) columns.push_back({"iterations", Align::kRight});
  columns.push_back({"runs", Align::kRight, false, 3});
  columns.push_back({"top-1", Align::kRight});
  columns.push_back({"loss", Align::kRight, false, 1});
  columns.push_back({"to target", Align::kRight, false, 2});
  columns.push_back({"seconds", Align::kRight, false, 4});
  columns.push_back({"loss diff", Align::kRight, false, 5});
  if (layout.target_seconds) columns.push_back({"s to target", Align::kRight});
  return columns;
}

std::vector<std::string> entry_row(const PolicyEntry& entry, std::size_t rank, const Layout& layout,
                                   bool one_of_many) {
  const RepeatedScores& scores = entry.scores;
  const int runs = scores.ended_well;
  std::vector<std::string> row;
  if (layout.ranked) row.push_back(fmt::to_string(rank));
  row.push_back(fmt::to_string(entry.id));
  row.push_back(one_of_many ? fmt::format("{} [{}]", policy_words(entry), plan_words(entry.plan))
                            : policy_words(entry));
  if (!layout.alike) row.push_back(training_of(entry));
  if (!layout.alike) row.push_back(fmt::to_string(entry.plan.iterations));
  row.push_back(runs_of(scores));
  row.push_back(mean(scores.top1, 4, runs));
  row.push_back(mean_alone(scores.loss, 4, runs));
  row.push_back(mean_alone(scores.target_iteration, 0, scores.met_target));
  row.push_back(mean_alone(scores.seconds, 1, runs));
  row.push_back(mean_alone(scores.loss_difference, 4, runs));
  if (layout.target_seconds) row.push_back(mean_alone(scores.target_seconds, 1, scores.met_target));
  return row;
}

std::string result_of(const PolicyRun& run) {
  if (run.outcome == OutcomeKind::kCompleted) return "done";
  if (run.outcome == OutcomeKind::kTargetReached) return fmt::format("stopped at {}", run.ended_at);
  if (run.outcome == OutcomeKind::kTimeLimit) return fmt::format("time over at {}", run.ended_at);
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

// AC, CV and CDAC of the runs, at their ranked points; empty if none was measured.
std::string confidence_table(const PolicyEntry& entry, RankAt at) {
  TextTable table({{"trial", Align::kRight},
                   {"confidence", Align::kRight},
                   {"deviation", Align::kRight},
                   {"over classes", Align::kRight},
                   {"classes left out", Align::kRight}});
  bool any = false;
  for (const PolicyRun& run : entry.runs) {
    const auto& point = at == RankAt::kBest ? run.scores.best : run.scores.final;
    const auto& confidence = point.evaluated.confidence;
    if (!run.scores.measured || !confidence) continue;
    any = true;
    table.add_row({fmt::to_string(run.trial.value), number(confidence->mean, 4),
                   number(confidence->deviation, 4), number(confidence->class_deviation, 4),
                   fmt::to_string(confidence->classes_left_out)});
  }
  return any ? table.text({}) : "";
}

// What runs made of a reactive policy, and their M-opt.
std::string details_of(const PolicyEntry& entry) {
  std::string words;
  for (const PolicyRun& run : entry.runs) {
    if (run.realised && run.realised->id != entry.id) {
      words += fmt::format("trial {} realised policy {}: {}\n", run.trial.value, run.realised->id,
                           describe(run.realised->policy));
    }
    if (!run.m_opt.empty())
      words += fmt::format("trial {} ", run.trial.value) + m_opt_words(run.m_opt);
  }
  return words;
}

std::string target_words(const RunPlan& plan) {
  if (!plan.target) return "no target";
  return fmt::format("target {} {}", name_of(plan.target->measure), plan.target->value);
}

std::string use_words(const PolicyEntry& entry, RankAt at) {
  const OptimizerSpec& optimizer = entry.train.optimizer;
  std::string words = fmt::format("{} on {}, batch {}, {}", label(entry.train.model),
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
  return words + confidence_table(entry, at) + details_of(entry);
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
  nlohmann::json json = {{"trial", run.trial.value},
                         {"campaign", run.campaign.value},
                         {"phase", name_of(run.phase)},
                         {"repeat", run.repeat},
                         {"seed", run.seed},
                         {"state", name_of(run.state)},
                         {"ended_at", run.ended_at},
                         {"outcome", name_of(run.outcome)},
                         {"scores", to_json(run.scores, at)}};
  if (run.realised) {
    json["realised"] = {{"id", run.realised->id}, {"policy", to_json(run.realised->policy)}};
  }
  if (!run.m_opt.empty()) json["m_opt"] = m_opt_json(run.m_opt);
  return json;
}

// What a policy is kept under (paper, section 4), as published ones have it.
nlohmann::json keys_json(const TrainSpec& train) {
  return {{"task", kOwnTask},
          {"dataset", train.dataset.name},
          {"model", label(train.model)},
          {"framework", kOwnFramework},
          {"optimizer", train.optimizer.name},
          {"batch", train.batch}};
}

}  // namespace

std::string policy_words(const PolicyEntry& entry) {
  return named(fmt::format("{}", fmt::join(entry.names, ", ")), entry.description);
}

std::string training_words(const std::vector<PolicyEntry>& entries) {
  if (entries.empty() || !trained_alike(entries)) return {};
  return fmt::format("{}, {} iterations", training_of(entries.front()),
                     entries.front().plan.iterations);
}

std::string policies_table(const std::vector<PolicyEntry>& entries, bool ranked,
                           const Terminal& terminal, bool target_seconds) {
  if (entries.empty()) return {};
  const Layout layout{ranked, trained_alike(entries), target_seconds};
  const std::map<Look, int> looks = looks_of(entries);
  TextTable table(columns_of(layout));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool one_of_many = looks.at(look_of(entries[i])) > 1;
    const bool well = entries[i].scores.ended_well == entries[i].scores.repeats;
    table.add_row(entry_row(entries[i], i + 1, layout, one_of_many), !well ? Ink::kBad
                                                                     : ranked && i == 0
                                                                         ? Ink::kGood
                                                                         : Ink::kPlain);
  }
  return (layout.alike ? training_words(entries) + "\n" : "") + table.text(terminal);
}

std::string policy_page(const std::vector<PolicyEntry>& entries, RankAt at,
                        const Terminal& terminal) {
  const PolicyEntry& first = entries.front();
  std::string page =
      commented(fmt::format("policy {}: {}\n", first.id, policy_words(first)), terminal.colour);
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
                    {"names", entry.names},
                    {"description", entry.description},
                    {"identity", entry.identity.hex()},
                    {"keys", keys_json(entry.train)},
                    {"train", to_json(entry.train)},
                    {"run", to_json(entry.plan)},
                    {"open", entry.open},
                    {"runs", std::move(runs)},
                    {"scores", to_json(entry.scores)}});
  }
  return list;
}

}  // namespace lrtune
