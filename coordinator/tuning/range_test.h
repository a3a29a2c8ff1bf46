// The LR range test (Wu & Liu, section 4; Smith 2017): a log grid of fixed rates, each trained for
// a few lengths and with a few seeds. Accuracy over the rate rises, is flat and drops; a good range
// begins where it has become flat and ends where it begins to drop. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lrtune {

struct RangeTestOptions {
  double chance = 0.1;  // accuracy of guessing: 1 / classes
  double band = 0.1;    // accuracy counts as flat down to so much of (top - chance) below the top;
                        // above 0, below 1
  double least_rise = 0.1;   // a curve whose top is less than this above chance has learned nothing
  double confidence = 0.95;  // of the intervals over seeds
  double widest =
      10;  // seeds disagree if an interval's high end is more than so many times its low end
};

// Accuracies after one length with one seed, in the order of the grid; none: that rate diverged,
// which counts as chance.
struct RangeCurve {
  std::uint32_t repeat = 0;
  std::int64_t iterations = 0;
  std::vector<std::optional<double>> accuracy;
};

// Places in the grid of the flat part around the highest accuracy; none if nothing was learned.
struct FlatPart {
  std::size_t first = 0;
  std::size_t top = 0;
  std::size_t last = 0;
  bool operator==(const FlatPart&) const = default;
};

// From the top outwards as long as accuracy stays within the band; the lowest rate with the highest
// accuracy is the top.
std::optional<FlatPart> flat_part(std::span<const std::optional<double>> accuracy,
                                  const RangeTestOptions& options);

enum class CannotTell : std::uint8_t {
  kCanTell,
  kNothingLearned,  // with some seed no rate rose above chance
  kOutsideGrid,  // with some seed the flat part reaches the end of the grid: the bound is there or
                 // beyond
  kSeedsDisagree,  // the interval over seeds is too wide
  kTooCoarse,      // the flat part is one rate wide: a finer grid is needed
};

struct RangeBound {
  CannotTell why = CannotTell::kCanTell;
  double rate = 0;  // geometric mean over seeds; the grid's own rate where they agree. 0 if nothing
                    // was learned
  // The true bound lies between the last rate outside and the first one inside, and seeds differ:
  // from the means of both in the logarithm, wider by Student's interval over the seeds.
  double low = 0;
  double high = 0;
};

struct LearningRateRange {
  RangeBound lower;
  RangeBound upper;
  std::int64_t iterations = 0;  // of the longest curves, which the bounds come from
  std::int64_t seeds = 0;       // with one seed the intervals are the grid's step alone
  double left = 0;              // how much of [0, 1] the range is; 1 if either bound cannot be told
  // By what factor the lower bound fell from the second longest length to the longest: above 1, it
  // may fall on in a longer run. 0 if there is one length, or where it cannot be told.
  double lower_fell = 0;
};

// `rates`: ascending, above 0, at least 3. All curves have as many accuracies; each seed has one
// curve for each of the lengths. The longest length decides: it is nearest to the run that the
// range is for.
LearningRateRange analyse_range(std::span<const double> rates, std::span<const RangeCurve> curves,
                                const RangeTestOptions& options);

// The cheaper second method (Smith 2017, section 3.3): one run a seed whose rate grows, evaluated
// now and then; `rates` are those of the evaluations. Accuracy is low at first for want of
// training, so a range begins where it has begun to rise: at the first rate with `band` of the rise
// above chance. It ends as that of fixed rates does.
std::optional<FlatPart> ramp_part(std::span<const std::optional<double>> accuracy,
                                  const RangeTestOptions& options);
// One curve a seed, all of one length; `lower_fell` stays 0.
LearningRateRange analyse_ramp(std::span<const double> rates, std::span<const RangeCurve> curves,
                               const RangeTestOptions& options);

// A rate as people write it: four digits. Of the smallest numbers, too.
double four_digits(double rate);

// How far k0 and k1 of cyclic functions, and other parameters, follow from the range. All are
// places to start a search from.
struct ParameterEstimate {
  double k0 = 0;                // of cyclic functions: the lower bound
  double k1 = 0;                // of cyclic functions, and k0 of decaying ones: the upper bound
  double fixed = 0;             // of FIX: the geometric mean of both
  double gamma = 0;             // of EXP and the *exp functions: k1 becomes k0 within the run
  std::int64_t half_cycle = 0;  // l, iterations
  std::int64_t cycles = 0;      // whole cycles of 2 l in the run
  // Where to search for l: 2 to 10 epochs, at most half the run (Smith 2017, section 3.3; Wu & Liu
  // use 3.3 and 4).
  std::int64_t half_cycle_low = 0;
  std::int64_t half_cycle_high = 0;
};

// The half cycle is near 4 epochs, so that whole cycles fill the run and it ends with the low rate:
// the number of cycles is run / (8 epochs), rounded, at least 1, and changed where l would else
// leave 2 to 10 epochs. A run below 4 epochs is one cycle. 0 < lower <= upper; iterations >= 2;
// epoch_iterations >= 1.
ParameterEstimate estimate_parameters(double lower, double upper, std::int64_t iterations,
                                      std::int64_t epoch_iterations);

}  // namespace lrtune
