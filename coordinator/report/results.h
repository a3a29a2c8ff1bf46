// What a campaign found: its trials with their scores, best first, and how they are shown. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/core/records.h"
#include "coordinator/ranking/ranking.h"
#include "coordinator/report/terminal.h"
#include "coordinator/report/text_table.h"

namespace lrtune {

// A trial that has ended.
struct TrialResult {
  TrialRecord trial;
  Outcome outcome;
  std::vector<MetricPoint> points;  // of the attempt that finished, ascending by iteration
  Scores scores;

  // What was applied: its policy, or the schedule that its reactive policy realised. A reactive one
  // itself if its run did not end well.
  const Policy& applied() const { return outcome.realised ? *outcome.realised : trial.policy; }
  std::vector<MoptValue> m_opt() const;  // by iteration; empty: not measured

  // Of what was trained for it, its share: a beginning that n trials of the campaign have in common
  // costs each of them an n-th, and what an earlier campaign trained costs nothing. Alone it had
  // cost outcome.iteration.
  double iterations_paid = 0;
};

// Iterations of a campaign's trials that have ended. asked = trained + shared + known + early.
struct TrainingCost {
  std::int64_t asked = 0;    // by their run plans, each trial alone
  std::int64_t trained = 0;  // by this campaign
  std::int64_t shared = 0;   // beginnings that several have in common, but for the first time
  std::int64_t known = 0;    // trained by an earlier campaign of the store
  std::int64_t early = 0;    // not needed: runs ended before their plan did
};

struct PolicyResult {
  TrialResult search;
  std::vector<TrialResult> repeats;        // of the verification, by repeat
  std::optional<RepeatedScores> verified;  // if there are repeats
  std::string name;                        // in the experiment; may be empty, or another's too
  std::vector<TrialResult> scaled;  // tolerance: ascending by scale, `search` at 1 if it was asked

  std::string words() const;  // name and describe()
};

struct CampaignResults {
  CampaignRecord campaign;
  RankBy by = RankBy::kTop1;
  RankAt at = RankAt::kBest;
  Part evaluated_on = Part::kValidation;
  std::optional<Target> target;
  std::vector<PolicyResult> policies;  // best first, by the search
  std::vector<std::size_t> verified;  // indices of `policies`, best first by the means over repeats
  std::vector<double> scales;         // of the tolerance; empty: it is not measured
  std::int64_t open = 0;              // trials that have not ended
  TrainingCost cost;
  double alpha = 0.05;  // chance of a wrong order that counts as settled
  int most_repeats = 0;
  bool has_rungs = false;  // runs of several lengths are ranked, the longest first

  // At most `count`, best first: verified ones, then the others. Without those that did not end
  // well.
  std::vector<const PolicyResult*> top(std::size_t count) const;
};

// Of the campaign with that hash. Errors: the store has none, or its experiment cannot be read.
Result<CampaignResults> collect_results(const StoredState& stored, const Digest& hash);

// A table that people read, under its title.
struct ResultTable {
  std::string title;
  TextTable table;
  std::size_t left_out = 0;  // rows that are not in it
};

// The ranked tables: all policies by the search (the first 30), then the verified ones as mean ±
// deviation over their repeats, then their tolerance to scaled rates.
std::vector<ResultTable> result_tables(const CampaignResults& results);

// "done, 65.2 s of work; 12 trials have ended": for people.
std::string state_line(const CampaignResults& results);

// What people should know beside the tables, a line each: what shared beginnings have spared, why
// trials failed and what else they say.
std::vector<std::string> result_notes(const CampaignResults& results);

// Tables and notes. Lines end with a newline; those of tables are at most terminal.width columns.
std::string results_text(const CampaignResults& results, const Terminal& terminal);

// One document: campaign, best, policies (with policy, scores, repeats), verified.
nlohmann::json to_json(const CampaignResults& results);

// M-opt of all search trials that have it: trial,iteration,learning_rate,m_opt. RFC 4180; m_opt is
// empty where it has no value. Empty if no trial has it.
std::string m_opt_csv(const CampaignResults& results);

// A table of all trials for spreadsheets: RFC 4180, one line a trial, search first.
std::string to_csv(const CampaignResults& results);

}  // namespace lrtune
