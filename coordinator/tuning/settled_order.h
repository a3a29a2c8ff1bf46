// Is the order of the best policies settled, after how many repeats with new seeds? Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lrtune {

struct Sample {
  std::int64_t count = 0;
  double mean = 0;
  double deviation = 0;  // standard deviation with count - 1; 0 with fewer than 2 values
};
Sample sample_of(std::span<const double> values);

// Welch's two-sided t test of two means that may have different variances.
struct WelchTest {
  double difference = 0;  // mean of the first minus mean of the second
  double error = 0;       // standard error of the difference
  double freedom = 0;     // Welch-Satterthwaite degrees of freedom; 0 where the error is 0
  double p = 1;           // 0 if the error is 0 and the means differ, 1 if they are equal then
  // Of the true difference, with the confidence that was asked for.
  double low = 0;
  double high = 0;
};

// Both have at least two values; 0 < confidence < 1.
WelchTest welch_test(const Sample& first, const Sample& second, double confidence);

// Holm's step-down adjustment (1979): the smallest levels at which each hypothesis is rejected with
// the family's error kept. In the order of `p`.
std::vector<double> holm_adjusted(std::span<const double> p);

struct OrderOptions {
  double alpha = 0.05;           // chance that any claim of an order, at any look, is wrong
  std::int64_t min_repeats = 2;  // of each policy; 2 to 5, at most max_repeats
  std::int64_t max_repeats = 10;
};

// A claim: rank `better` is above rank `better + 1`.
struct NeighbourOrder {
  std::size_t better = 0;  // place in the order, from 0
  WelchTest test;  // its interval holds for all neighbours together (Bonferroni), at this look
  double adjusted_p = 1;  // Holm over all neighbours
  bool settled = false;   // adjusted_p is at most the look's share of alpha
};

enum class OrderState : std::uint8_t {
  kSettled,    // the order of all is
  kRepeat,     // more repeats may settle it
  kUnsettled,  // the most repeats are made: those neighbours that are not settled may be equally
               // good
};

struct SettledOrder {
  OrderState state = OrderState::kRepeat;
  std::vector<std::size_t>
      order;  // places in `values`, best mean first; equal means keep their places
  std::vector<Sample> samples;             // in that order
  std::vector<NeighbourOrder> neighbours;  // empty until all have min_repeats
  double look_alpha = 0;            // alpha / looks: Bonferroni over the looks that there may be
  std::vector<std::size_t> repeat;  // places in `values` of the policies that a repeat helps; those
                                    // next to no unsettled neighbour need none
};

// `values`: of each policy the results of its repeats, higher is better, finite. A look is taken
// whenever all that need it have one more repeat, from min_repeats to max_repeats, so there are at
// most max - min + 1 of them; each spends an equal part of alpha. Results are taken as about
// normal, as means over many samples are. One policy is settled at once.
SettledOrder settled_order(std::span<const std::vector<double>> values,
                           const OrderOptions& options);

}  // namespace lrtune
