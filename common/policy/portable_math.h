// Powers, exponentials and sines that give the same bits on every machine with IEEE 754 doubles.
// The C library's do not: glibc picks another variant where the processor has fused multiply-add.
// The bits of the learning rates are part of the names of states, and coordinator and worker
// compare them. Made of + - * / and exact scaling by powers of two; this folder is compiled with
// -ffp-contract=off. Errors stay below 2 units in the last place; where an exponent is beyond 1000,
// below 20.
#pragma once

#include <cstdint>

namespace lrtune {

// The unevaluated sum of two doubles, |low| at most half a unit in the last place of high.
struct DoubleDouble {
  double high = 0;
  double low = 0;
};

// Natural logarithm; x above 0 and finite.
DoubleDouble log_of(double x);

// exp(factor * exponent); 0 below the smallest double, the largest double above it, never infinite
// or NaN.
double exp_of_product(DoubleDouble factor, double exponent);

// base^exponent for base above 0 (an infinite base counts as the largest double) and a finite
// exponent.
double power_of(double base, double exponent);

// sin(pi/2 * part / whole) for 0 <= part <= whole <= 2^53; exactly 0 and 1 at the ends.
double sine_of_quarter(std::int64_t part, std::int64_t whole);

}  // namespace lrtune
