// The LR range test as a campaign, and what its results say. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/result.h"
#include "coordinator/plot/chart.h"
#include "coordinator/report/results.h"
#include "coordinator/tuning/range_test.h"

namespace lrtune {

struct RangeTestSettings {
  double low = 1e-4;  // of the grid of fixed rates, even in the logarithm
  double high = 1;
  int rates = 13;                        // 3 or more
  std::vector<double> epochs;            // lengths, ascending, each a multiple of the first
  std::vector<std::int64_t> iterations;  // instead; exactly one of both is empty
  int seeds = 3;
  // One run a seed whose rate grows through the grid, in the place of one of each fixed rate.
  bool ramp = false;
};

// Rates that may be given.
inline constexpr double kLeastRate = 1e-12;
inline constexpr double kMostRate = 1e6;

// The rates of the grid, ascending; both ends are exact.
std::vector<double> rate_grid(const RangeTestSettings& settings);

// A campaign that trains each rate of the grid with each seed, to the longest length, evaluated at
// all of them: the shorter runs are the beginnings of the longest and cost nothing more. Data,
// network, optimizer and evaluation are those of `experiment`. Errors: a setting, by its option.
Result<Experiment> range_test_experiment(const Experiment& experiment,
                                         const RangeTestSettings& settings);

// The ramp of one seed, 0, 1 ...: a STEP function that grows from the lowest rate to the highest in
// `rates` stairs of equal length, evaluated at the end of each. There is one length. Each seed is a
// campaign of its own, since one that diverges would not be repeated. Errors: a setting, by its
// option.
Result<Experiment> ramp_experiment(const Experiment& experiment, const RangeTestSettings& settings,
                                   int seed);

// Of an experiment that range_test_experiment made: the settings that it can be made with again,
// its lengths those of the shortest and the longest curves. Nothing if it is another experiment.
std::optional<RangeTestSettings> range_test_settings(const Experiment& test);

// What the trials of a campaign trained. Errors: none has ended.
Result<TrainingIdentity> identity_of(const StoredState& stored, const CampaignResults& results);

// Why a bound cannot be told, and what helps; empty if it can.
std::string words(CannotTell why);

struct RangeReport {
  std::string name;
  bool ramp = false;
  std::vector<double> rates;
  std::vector<RangeCurve> curves;  // by length, then seed
  LearningRateRange range;
  std::optional<ParameterEstimate> estimate;  // where both bounds can be told
  std::int64_t run_iterations = 0;            // of the experiment's own run, which it is for
  double chance = 0;
  std::int64_t asked = 0;    // iterations: those of its runs, each alone ...
  std::int64_t trained = 0;  // ... and those that its campaigns have trained
};

// `results`: of the campaign that range_test_experiment makes of `experiment`; `identity`: what it
// trained. Errors: no run was measured.
Result<RangeReport> range_report(const Experiment& experiment, const RangeTestSettings& settings,
                                 const CampaignResults& results, const TrainingIdentity& identity);

// The same of ramps: `results` are those of the campaigns of ramp_experiment, by seed. Errors: no
// run was measured; the run has fewer than three stairs.
Result<RangeReport> ramp_report(const Experiment& experiment,
                                std::span<const CampaignResults> results,
                                const TrainingIdentity& identity);

// "lower bound 0.00316 (0.001 to 0.01 ...)": the bounds with their uncertainty, or why they cannot
// be told; how much of [0, 1] is left; what to start a search from.
std::string range_text(const RangeReport& report, const Terminal& terminal);
nlohmann::json to_json(const RangeReport& report);

// Mean accuracy over the seeds against the rate, one curve a length, and points where all diverged.
Chart range_chart(const RangeReport& report);

}  // namespace lrtune
