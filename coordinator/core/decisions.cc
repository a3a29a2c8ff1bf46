#include "coordinator/core/decisions.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <string_view>

namespace lrtune {
namespace {

using nlohmann::json;

std::string number(const json& numbers, std::string_view key) {
  const auto it = numbers.find(std::string(key));
  if (it == numbers.end() || it->is_null()) return "?";
  if (it->is_string()) return it->get<std::string>();
  if (it->is_number_float()) return fmt::format("{:.6g}", it->get<double>());
  return it->dump();
}

std::string accuracy(const json& n) {
  if (!n.contains("top1") || n["top1"].is_null()) return "it was never measured";
  return fmt::format("best top-1 {} at iteration {}, loss {} there, final top-1 {}",
                     number(n, "top1"), number(n, "top1_iteration"), number(n, "loss"),
                     number(n, "final_top1"));
}

std::string target(const json& n) {
  if (!n.contains("target_iteration") || n["target_iteration"].is_null()) return "";
  return fmt::format("; target met at iteration {}", number(n, "target_iteration"));
}

// What the worker said of a run that ended well: the images that it skipped.
std::string remark(const json& n) {
  return n.contains("message") ? "; " + number(n, "message") : "";
}

// Where its own training began, behind a beginning that others have too.
std::string shared(const json& n) {
  if (!n.contains("from")) return {};
  return fmt::format(" (the first {} shared with others)", number(n, "from"));
}

std::string score_words(const json& n) {
  if (n.contains("repeats")) {
    return fmt::format("top-1 {} +- {} over {} new seeds", number(n, "top1_mean"),
                       number(n, "top1_deviation"), number(n, "repeats"));
  }
  return accuracy(n) + target(n);
}

// The reason of an order, if one was given.
std::string because(const json& n) {
  const std::string reason = n.contains("reason") ? number(n, "reason") : "";
  return reason.empty() ? "" : ": " + reason;
}

// A job that is only the beginning of several trials.
std::string beginning_of(const std::string& trial, const json& n) {
  return fmt::format("The beginning of {} and others, up to iteration {},", trial,
                     number(n, "stage"));
}

using Sentence = std::function<std::string(const std::string&, const json&)>;

using Sentences = std::map<std::string_view, Sentence>;

// Rules that stop runs are rare: their count is named only if it is there.
std::string stopped_words(const json& n) {
  if (!n.contains("stopped") || n.at("stopped") == 0) return {};
  return fmt::format(", {} were stopped early", number(n, "stopped"));
}

const Sentences& campaign_sentences() {
  static const Sentences kSentences = {
      {"created",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was made: {} search over {} candidates, seed {}.", who,
                            number(n, "method"), number(n, "candidates"), number(n, "seed"));
       }},
      {"imported",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was taken in from the store {}, where it was campaign {} ({}).",
                            who, number(n, "store"), number(n, "campaign"), number(n, "state"));
       }},
      {"surveyed",
       [](const std::string& who, const json& n) {
         return fmt::format(
             "{} trains on {}: {} training, {} validation and {} test samples, found by worker {} "
             "({}, {}).",
             who, number(n, "dataset"), number(n, "train_samples"), number(n, "validation_samples"),
             number(n, "test_samples"), number(n, "worker"), number(n, "backend"),
             number(n, "instruction_set"));
       }},
      {"survey_lost",
       [](const std::string& who, const json& n) {
         return fmt::format("{} lost a worker that looked at data set {}: {} ({} deaths so far).",
                            who, number(n, "dataset"), number(n, "reason"), number(n, "deaths"));
       }},
      {"resumed",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was resumed with {} trials ended and {} to go.", who,
                            number(n, "ended"), number(n, "open"));
       }},
      {"stopped",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was stopped ({}) with {} trials ended and {} to go.", who,
                            number(n, "reason"), number(n, "ended"), number(n, "open"));
       }},
      {"paused",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was paused with {} trials to go{}.", who, number(n, "open"),
                            because(n));
       }},
      {"cancelled",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was cancelled with {} trials to go{}.", who, number(n, "open"),
                            because(n));
       }},
      {"prioritised",
       [](const std::string& who, const json& n) {
         return fmt::format("{} has priority {} from now on.", who, number(n, "priority"));
       }},
      {"order",
       [](const std::string& who, const json& n) {
         return fmt::format(
             "{} looked at the order of its verified policies: {} of {} neighbours are settled "
             "with "
             "a chance of {} to be wrong, {} policies are repeated once more.",
             who, number(n, "settled"), number(n, "neighbours"), number(n, "alpha"),
             number(n, "repeated"));
       }},
      {"campaign_extended",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was extended, for the {}. time: it has {} candidates.", who,
                            number(n, "extensions"), number(n, "candidates"));
       }},
      {"done",
       [](const std::string& who, const json& n) {
         return fmt::format(
             "{} is done: {} trials, of which {} completed, {} diverged, {} failed{} and {} were "
             "known already.",
             who, number(n, "trials"), number(n, "done"), number(n, "diverged"),
             number(n, "failed"), stopped_words(n), number(n, "reused"));
       }},
      {"campaign_failed",
       [](const std::string& who, const json& n) {
         return fmt::format("{} failed: {}.", who, number(n, "reason"));
       }},
  };
  return kSentences;
}

// What a search that decides by results knew.
std::string knowledge(const json& n) {
  std::string words;
  if (n.contains("observed")) words += fmt::format(", knowing {} results", number(n, "observed"));
  if (n.contains("good")) words += fmt::format(", {} of them good", number(n, "good"));
  if (n.contains("cutoff")) {
    words += fmt::format(": with {} it was among the best {} of {} at the rung below",
                         number(n, "value"), number(n, "places"), number(n, "in_rung"));
  } else if (n.contains("in_rung") && n.contains("value")) {  // of a tree
    words += fmt::format(": with {} it was among the best of {} paths at the boundary",
                         number(n, "value"), number(n, "in_rung"));
  }
  if (n.contains("parent"))
    words += fmt::format(", which continues candidate {} by another function", number(n, "parent"));
  return words;
}

// Of searches by results and stop rules.
const Sentences& search_sentences() {
  static const Sentences kSentences = {
      {"proposed",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was proposed by the search as candidate {}{}.", who,
                            number(n, "candidate"), knowledge(n));
       }},
      {"promoted",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was promoted to rung {}{}.", who, number(n, "rung"), knowledge(n));
       }},
      {"observed",
       [](const std::string& who, const json& n) {
         const bool valued = n.contains("value") && !n.at("value").is_null();
         return fmt::format("The search took in what {} brought at rung {}: {}.", who,
                            number(n, "rung"), valued ? number(n, "value") : "no value");
       }},
      {"weighed",
       [](const std::string& who, const json&) {
         return fmt::format("The stop rules hold others against {} from now on.", who);
       }},
      {"stopped_early",
       [](const std::string& who, const json& n) {
         const std::string start =
             fmt::format("{} was stopped at iteration {}: ", who, number(n, "iteration"));
         if (number(n, "rule") == "median") {
           return start + fmt::format(
                              "its best value so far, {}, is below {}, the median of the "
                              "averages of {} others so far.",
                              number(n, "own_best"), number(n, "median"), number(n, "others"));
         }
         return start + fmt::format(
                            "it can meet the target at {} at the earliest, and is to beat "
                            "{} ({} others have met it).",
                            number(n, "earliest"), number(n, "to_beat"), number(n, "finished"));
       }},
  };
  return kSentences;
}

const Sentences& trial_sentences() {
  static const Sentences kSentences = {
      {"assigned",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was assigned to worker {} as attempt {}.", who, number(n, "worker"),
                            number(n, "attempt"));
       }},
      {"adopted",
       [](const std::string& who, const json& n) {
         return fmt::format(
             "{} goes on as attempt {}: worker {} kept training while the coordinator was away.",
             who, number(n, "attempt"), number(n, "worker"));
       }},
      {"requeued",
       [](const std::string& who, const json& n) {
         // Older stores do not say whether any trial still wants it.
         const bool waits = !n.contains("waits") || n.at("waits") != false;
         return fmt::format("{} {} attempt {} at iteration {}: {} ({} deaths so far).", who,
                            waits ? "went back to the queue from" : "was taken from",
                            number(n, "attempt"), number(n, "iteration"), number(n, "reason"),
                            number(n, "deaths"));
       }},
      {"refused",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was refused by worker {}: {}.", who, number(n, "worker"),
                            number(n, "reason"));
       }},
      {"poisoned",
       [](const std::string& who, const json& n) {
         return fmt::format(
             "{} was set aside after {} attempts that ended with their worker's death or for want "
             "of something there; the last: {}.",
             who, number(n, "deaths"), number(n, "reason"));
       }},
      {"reused",
       [](const std::string& who, const json& n) {
         return fmt::format(
             "{} was known already: the same {} iterations were trained before as job {}.", who,
             number(n, "iterations"), number(n, "job"));
       }},
      {"realised",
       [](const std::string& who, const json& n) {
         return fmt::format("{} changed its function {} times. What it applied: {}.", who,
                            number(n, "changes"), number(n, "policy"));
       }},
      {"completed",
       [](const std::string& who, const json& n) {
         return fmt::format("{} completed {} iterations{} in {} s: {}{}{}.", who,
                            number(n, "iteration"), shared(n), number(n, "seconds"), accuracy(n),
                            target(n), remark(n));
       }},
      {"target_reached",
       [](const std::string& who, const json& n) {
         return fmt::format("{} stopped at iteration {}{} since it reached its target: {}{}.", who,
                            number(n, "iteration"), shared(n), accuracy(n), remark(n));
       }},
      {"diverged",
       [](const std::string& who, const json& n) {
         return fmt::format("{} diverged: the loss of iteration {} was not finite; {}.", who,
                            number(n, "iteration"), accuracy(n));
       }},
      {"failed",
       [](const std::string& who, const json& n) {
         return fmt::format("{} failed at iteration {}: {}.", who, number(n, "iteration"),
                            number(n, "message"));
       }},
  };
  return kSentences;
}

// What became of a trial's policy once all had ended.
const Sentences& judgement_sentences() {
  static const Sentences kSentences = {
      {"ranked",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was ranked {} of {} by {}: {}.", who, number(n, "rank"),
                            number(n, "of"), number(n, "by"), score_words(n));
       }},
      {"verification",
       [](const std::string& who, const json& n) {
         return fmt::format("{} is repeated with a new seed ({} of {}) as trial {}.", who,
                            number(n, "repeat"), number(n, "repeats"), number(n, "trial"));
       }},
      {"scaled",
       [](const std::string& who, const json& n) {
         return fmt::format("{} is trained with its rates times {} as trial {}.", who,
                            number(n, "scale"), number(n, "trial"));
       }},
      {"tolerance",
       [](const std::string& who, const json& n) {
         return fmt::format(
             "{} tolerates scaled rates so: of {} scales {} ended well, with a top-1 of {} +- {}, "
             "at the least {}.",
             who, number(n, "scales"), number(n, "ended_well"), number(n, "top1_mean"),
             number(n, "top1_deviation"), number(n, "top1_lowest"));
       }},
      {"verdict",
       [](const std::string& who, const json& n) {
         const std::string replacement = number(n, "replacement");
         const std::string measure = number(n, "measure");
         const auto reached = [&](const char* before, const std::string& key) {
           return n.contains(key) ? before + number(n, key) : std::string();
         };
         return fmt::format("{} was judged in phase {} for {} {}{}: {}{}{}.", who,
                            number(n, "phase"), measure, number(n, "target"),
                            reached(", it reached ", measure), number(n, "verdict"),
                            replacement.empty() ? "" : " by " + replacement,
                            reached(", which reached ", "replacement_" + measure));
       }},
      {"composed",
       [](const std::string& who, const json& n) {
         const std::string measure = number(n, "measure");
         const bool beaten = number(n, "verdict") == "beaten";
         return fmt::format(
             "{} is what was composed; beside {} other policies it is {}{}{}.", who,
             number(n, "others"), number(n, "verdict"),
             n.contains(measure) ? fmt::format(", it reached {} {}", measure, number(n, measure))
                                 : std::string(),
             beaten
                 ? fmt::format("; {} reached {}", number(n, "best"), number(n, "best_" + measure))
                 : std::string());
       }},
      {"verified",
       [](const std::string& who, const json& n) {
         return fmt::format("{} was verified as {} of {} by {}: {}.", who, number(n, "rank"),
                            number(n, "of"), number(n, "by"), score_words(n));
       }},
      {"extended",
       [](const std::string& who, const json& n) {
         return fmt::format("{} goes on from {} to {} iterations, since its campaign was extended.",
                            who, number(n, "from"), number(n, "to"));
       }},
  };
  return kSentences;
}

}  // namespace

std::string sentence(const DecisionRecord& decision) {
  const std::string who = decision.trial ? fmt::format("Trial {}", decision.trial.value)
                                         : fmt::format("Campaign {}", decision.campaign.value);
  for (const Sentences* sentences :
       {&campaign_sentences(), &trial_sentences(), &search_sentences(), &judgement_sentences()}) {
    const auto it = sentences->find(decision.code);
    if (it == sentences->end()) continue;
    const json numbers = decision.numbers.json();
    return it->second(numbers.contains("stage") ? beginning_of(who, numbers) : who, numbers);
  }
  return fmt::format("{}: {} {}", who, decision.code, decision.numbers.text());
}

}  // namespace lrtune
