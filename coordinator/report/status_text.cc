#include "coordinator/report/status_text.h"

#include <fmt/format.h>

#include "coordinator/report/progress.h"
#include "coordinator/report/text_table.h"

namespace lrtune {
namespace {

using nlohmann::json;

std::string text_of(const json& map, const char* key) { return map.value(key, std::string()); }
std::int64_t count_of(const json& map, const char* key) { return map.value(key, std::int64_t{0}); }

std::optional<double> number_of(const json& map, const char* key) {
  const auto it = map.find(key);
  if (it == map.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

std::string share_text(const std::optional<double>& share) {
  return share ? fmt::format("{:.4f}", *share) : std::string("-");
}

std::string state_text(const json& campaign) {
  const std::string state = text_of(campaign, "state");
  return campaign.value("paused", false) ? state + ", paused" : state;
}

Ink ink_of(const json& campaign) {
  const std::string state = text_of(campaign, "state");
  if (state == "done") return Ink::kGood;
  if (state == "failed") return Ink::kBad;
  return state == "cancelled" || campaign.value("paused", false) ? Ink::kDim : Ink::kPlain;
}

std::string trouble(const json& campaign) {
  const std::string failure = text_of(campaign, "failure");
  return failure.empty() ? text_of(campaign, "waiting_for") : failure;
}

std::string best_table(const json& best, const Terminal& terminal) {
  const bool repeated = !best.empty() && best.front().at("scores").contains("repeats");
  TextTable table({{"rank", Align::kRight},
                   {"trial", Align::kRight},
                   {"policy", Align::kLeft, true},
                   {"top-1", Align::kRight},
                   {repeated ? "+-" : "at", Align::kRight},
                   {"loss", Align::kRight, false, 1}});
  std::int64_t rank = 0;
  for (const json& row : best) {
    const json& scores = row.at("scores");
    const std::string second =
        repeated ? share_text(number_of(scores, "top1_deviation"))
                 : (number_of(scores, "top1_iteration")
                        ? fmt::format("{:.0f}", *number_of(scores, "top1_iteration"))
                        : std::string("-"));
    table.add_row({std::to_string(++rank), std::to_string(count_of(row, "trial")),
                   text_of(row, "policy"),
                   share_text(number_of(scores, repeated ? "top1_mean" : "top1")), second,
                   share_text(number_of(scores, repeated ? "loss_mean" : "loss"))});
  }
  return table.text(terminal);
}

std::string duration_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string jobs_text(const json& worker) {
  std::string text;
  for (const json& job : worker.at("jobs")) {
    text += fmt::format("{}trial {} at {}", text.empty() ? "" : ", ", count_of(job, "trial"),
                        count_of(job, "iteration"));
  }
  const auto shown = static_cast<std::int64_t>(worker.at("jobs").size());
  const std::int64_t more = count_of(worker, "held") - shown;
  if (more > 0) text += fmt::format(" and {} more", more);
  return text.empty() ? "-" : text;
}

}  // namespace

std::string campaigns_table(const json& campaigns, const Terminal& terminal) {
  TextTable table({{"id", Align::kRight},
                   {"name", Align::kLeft, true},
                   {"state"},
                   {"trials", Align::kRight},
                   {"running", Align::kRight},
                   {"queued", Align::kRight, false, 2},
                   {"failed", Align::kRight, false, 3},
                   {"priority", Align::kRight, false, 4},
                   {"best top-1", Align::kRight},
                   {"what is in the way", Align::kLeft, true, 1}});
  for (const json& one : campaigns) {
    table.add_row(
        {std::to_string(count_of(one, "campaign")), text_of(one, "name"), state_text(one),
         fmt::format("{}/{}", count_of(one, "ended"), count_of(one, "trials")),
         std::to_string(count_of(one, "running")), std::to_string(count_of(one, "queued")),
         std::to_string(count_of(one, "failed")), std::to_string(count_of(one, "priority")),
         share_text(number_of(one, "best_top1")), trouble(one)},
        ink_of(one));
  }
  return table.text(terminal);
}

std::string campaign_line(const json& campaign) {
  const std::int64_t most = campaign.value("trials_most", count_of(campaign, "trials"));
  std::string line =
      fmt::format("campaign {} ({}): {}, {} of {}{} trials ended", count_of(campaign, "campaign"),
                  text_of(campaign, "name"), state_text(campaign), count_of(campaign, "ended"),
                  most > count_of(campaign, "trials") ? "at most " : "", most);
  if (const std::string why = trouble(campaign); !why.empty()) line += "; " + why;
  return line;
}

std::string campaign_page(const json& campaign, const Terminal& terminal) {
  std::string text = paint(campaign_line(campaign), Ink::kBold, terminal.colour) + '\n';
  const std::int64_t total = count_of(campaign, "iterations_total");
  const std::int64_t done = count_of(campaign, "iterations_done");
  const std::int64_t asked = count_of(campaign, "iterations_asked");
  const std::string shared =
      asked > total ? fmt::format(" ({} asked for, shared beginnings once)", asked) : "";
  text += fmt::format(
      "hash {}, priority {}, {} of {} iterations{}, {} running, {} queued, {} "
      "diverged, {} failed, {} cancelled, {} stopped, {} known before\n",
      text_of(campaign, "hash").substr(0, 8), count_of(campaign, "priority"), done, total, shared,
      count_of(campaign, "running"), count_of(campaign, "queued"), count_of(campaign, "diverged"),
      count_of(campaign, "failed"), count_of(campaign, "cancelled"), count_of(campaign, "stopped"),
      count_of(campaign, "reused"));
  const json& running = campaign.at("trials_running");
  if (!running.empty()) {
    TextTable table({{"trial", Align::kRight},
                     {"policy", Align::kLeft, true},
                     {"worker", Align::kLeft, true},
                     {"attempt", Align::kRight, false, 1},
                     {"iteration", Align::kRight},
                     {"top-1", Align::kRight}});
    for (const json& one : running) {
      table.add_row({std::to_string(count_of(one, "trial")), text_of(one, "policy"),
                     text_of(one, "worker"), std::to_string(count_of(one, "attempt")),
                     fmt::format("{}/{}", count_of(one, "iteration"), count_of(one, "iterations")),
                     share_text(number_of(one, "top1"))});
    }
    text += '\n' + table.text(terminal);
  }
  if (!campaign.at("best").empty()) text += '\n' + best_table(campaign.at("best"), terminal);
  return text;
}

std::string workers_table(const json& workers, const json& orders, const Terminal& terminal) {
  TextTable table({{"worker", Align::kLeft, true},
                   {"slots", Align::kRight},
                   {"held", Align::kRight},
                   {"computes", Align::kLeft, true, 1},
                   {"heard", Align::kRight},
                   {"here for", Align::kRight, false, 2},
                   {"trains", Align::kLeft, true}});
  for (const json& one : workers) {
    const bool draining = one.value("draining", false);
    table.add_row({text_of(one, "name") + (draining ? " (draining)" : ""),
                   std::to_string(count_of(one, "slots")), std::to_string(count_of(one, "held")),
                   text_of(one, "computes"),
                   fmt::format("{:.1f} s ago", number_of(one, "silent_seconds").value_or(0)),
                   duration_text(number_of(one, "joined_seconds").value_or(0)), jobs_text(one)},
                  draining ? Ink::kDim : Ink::kPlain);
  }
  std::string text = table.text(terminal);
  for (const json& order : orders) {
    const std::string reason = text_of(order, "reason");
    text += fmt::format("{}: {}{}\n", text_of(order, "worker"), text_of(order, "order"),
                        reason.empty() ? "" : " (" + reason + ")");
  }
  return text;
}

CampaignView campaign_view(const json& campaign) {
  CampaignView view;
  view.id = {count_of(campaign, "campaign")};
  view.name = text_of(campaign, "name");
  view.state = campaign_state_from_name(text_of(campaign, "state")).value_or(view.state);
  view.failure = text_of(campaign, "failure");
  view.paused = campaign.value("paused", false);
  view.trials = count_of(campaign, "trials");
  view.done = count_of(campaign, "ended");
  view.diverged = count_of(campaign, "diverged");
  view.failed = count_of(campaign, "failed");
  view.reused = count_of(campaign, "reused");
  view.iterations_done = count_of(campaign, "iterations_done");
  view.iterations_total = count_of(campaign, "iterations_total");
  view.trials_most = campaign.value("trials_most", view.trials);
  view.iterations_most = campaign.value("iterations_most", view.iterations_total);
  view.best_top1 = number_of(campaign, "best_top1");
  view.best_trial = {count_of(campaign, "best_trial")};
  view.waiting_for = text_of(campaign, "waiting_for");
  for (const json& one : campaign.at("trials_running")) {
    RunningTrial running;
    running.trial = {count_of(one, "trial")};
    running.policy = text_of(one, "policy");
    running.worker = text_of(one, "worker");
    running.attempt = count_of(one, "attempt");
    running.iteration = count_of(one, "iteration");
    running.iterations = count_of(one, "iterations");
    running.top1 = number_of(one, "top1");
    view.running.push_back(std::move(running));
  }
  return view;
}

}  // namespace lrtune
