// The densities of the tree-structured Parzen estimator (Bergstra et al. 2011, section 4). Pure,
// and made of portable arithmetic, so that a density has the same bits on every machine.
#pragma once

#include <cstddef>
#include <vector>

namespace lrtune {

// Standard normal density and distribution function; absolute error below 1e-14.
double normal_density(double x);
double normal_distribution(double x);

// Over a list without an order: each value is as likely as the times it was seen, plus 1.
class ChoiceDensity {
 public:
  // `seen`: places in a list of `count` values.
  ChoiceDensity(std::size_t count, const std::vector<std::size_t>& seen);
  double probability(std::size_t value) const { return probabilities_.at(value); }
  // The value at `unit` of the distribution function, 0 <= unit < 1.
  std::size_t draw(double unit) const;

 private:
  std::vector<double> probabilities_;
};

// Over [0, 1]: an equal mixture of the uniform density, which is the prior, and a normal one around
// each value that was seen, cut off at 0 and 1. Its width is the distance to the further one of its
// neighbours, 0 and 1 among them, but at least 1 / min(100, values + 1).
class IntervalDensity {
 public:
  explicit IntervalDensity(std::vector<double> seen);
  double density(double unit) const;
  // Of [low, high] inside [0, 1].
  double probability(double low, double high) const;
  // By two uniform numbers from [0, 1): one says which part of the mixture, the other where in it.
  double draw(double part, double place) const;

 private:
  struct Window {
    double middle = 0;
    double width = 0;
    double below = 0;  // of the uncut density's mass, below 0 and between 0 and 1
    double inside = 0;
    double distribution(double unit) const;
  };
  std::vector<Window> windows_;
};

}  // namespace lrtune
