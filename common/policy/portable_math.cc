#include "common/policy/portable_math.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace lrtune {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

// ln 2 in two parts; the first has 33 bits, so that its product with an exponent is exact (fdlibm's
// e_exp.c).
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kInverseLn2 = 1.44269504088896338700e+00;
constexpr double kSquareRootOfHalf = 0.70710678118654752440;
// pi/2 in two doubles.
constexpr double kHalfPiHigh = 1.57079632679489655800e+00;
constexpr double kHalfPiLow = 6.12323399573676603587e-17;

// Knuth: high + low is exactly a + b.
DoubleDouble two_sum(double a, double b) {
  const double sum = a + b;
  const double b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// Dekker and Veltkamp: high + low is exactly a * b, if no part overflows or underflows.
DoubleDouble two_product(double a, double b) {
  constexpr double kSplit = 134217729.0;  // 2^27 + 1
  const double a_big = kSplit * a;
  const double a_high = a_big - (a_big - a);
  const double a_low = a - a_high;
  const double b_big = kSplit * b;
  const double b_high = b_big - (b_big - b);
  const double b_low = b - b_high;
  const double product = a * b;
  const double error =
      ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
  return {product, error};
}

// coefficients[0] + x * (coefficients[1] + x * ...)
template <std::size_t N>
double polynomial(const std::array<double, N>& coefficients, double x) {
  double sum = coefficients[N - 1];
  for (std::size_t i = N - 1; i > 0; --i) sum = sum * x + coefficients[i - 1];
  return sum;
}

double times_power_of_two(double x, int exponent) {
  if (exponent < -1021 || exponent > 1023) return std::ldexp(x, exponent);
  return x * std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

// exp(y) for |y| below 800: Taylor's series after y = k ln 2 + r, |r| <= ln(2)/2.
double exp_of(DoubleDouble y) {
  static constexpr std::array<double, 12> kSeries = {
      1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
      1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  const double quotient = y.high * kInverseLn2;
  const int k = static_cast<int>(quotient + (quotient < 0 ? -0.5 : 0.5));
  const DoubleDouble rest = two_sum(y.high, -k * kLn2High);
  const DoubleDouble r = two_sum(rest.high, rest.low + (y.low - k * kLn2Low));
  const double tail = r.low + r.high * r.high * polynomial(kSeries, r.high);
  const double value = times_power_of_two(1.0 + (r.high + tail), k);
  return value < kLargest ? value : kLargest;
}

}  // namespace

// log(2^e m) = e ln 2 + 2 atanh(s), s = (m-1)/(m+1), |s| <= 0.172. The leading term has twice the
// precision of a double, the rest of the series that of one.
DoubleDouble log_of(double x) {
  static constexpr std::array<double, 12> kSeries = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,
                                                     1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17,
                                                     1.0 / 19, 1.0 / 21, 1.0 / 23, 1.0 / 25};
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < kSquareRootOfHalf) {
    m *= 2;
    --exponent;
  }
  const double numerator = m - 1.0;
  const DoubleDouble denominator = two_sum(m, 1.0);
  const double s = numerator / denominator.high;
  const DoubleDouble back = two_product(s, denominator.high);
  const double remainder = ((numerator - back.high) - back.low) - s * denominator.low;
  const double s_low = remainder / denominator.high;
  const double tail = 2 * s * (s * s) * polynomial(kSeries, s * s);
  const DoubleDouble sum = two_sum(exponent * kLn2High, 2 * s);
  return two_sum(sum.high, sum.low + (exponent * kLn2Low + (2 * s_low + tail)));
}

double exp_of_product(DoubleDouble factor, double exponent) {
  const double rough = factor.high * exponent;
  if (rough > 710) return kLargest;
  if (rough < -746) return 0;
  if (rough == 0) return 1;
  const DoubleDouble product = two_product(factor.high, exponent);
  return exp_of(two_sum(product.high, product.low + factor.low * exponent));
}

double power_of(double base, double exponent) {
  return exp_of_product(log_of(base < kLargest ? base : kLargest), exponent);
}

double sine_of_quarter(std::int64_t part, std::int64_t whole) {
  // Taylor's series of sin and cos, |z| <= pi/4.
  static constexpr std::array<double, 8> kSine = {
      -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
      -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
  static constexpr std::array<double, 8> kCosine = {
      -1.0 / 2,       1.0 / 24,        -1.0 / 720,         1.0 / 40320,
      -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};
  const bool first_half = part <= whole - part;
  const double x =
      static_cast<double>(first_half ? part : whole - part) / static_cast<double>(whole);
  if (!first_half) {
    const double z = kHalfPiHigh * x;
    return 1.0 + z * z * polynomial(kCosine, z * z);
  }
  const DoubleDouble z = two_product(kHalfPiHigh, x);
  return z.high +
         (z.low + kHalfPiLow * x + z.high * (z.high * z.high) * polynomial(kSine, z.high * z.high));
}

}  // namespace lrtune
