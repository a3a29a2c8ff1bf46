// The powers and sines that replace the C library's.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "common/policy/policy.h"
#include "common/policy/portable_math.h"

namespace lrtune {
namespace {

constexpr long double kHalfPi = 1.57079632679489661923132169163975144L;

double relative_error(double value, long double exact) {
  return static_cast<double>(std::abs((value - exact) / exact));
}

TEST(PortableMath, PowersAgreeWithLongDouble) {
  double worst = 0;
  for (int i = 1; i < 20'000; ++i) {
    const double base = 1e-4 * i * i;
    const double exponent = std::fmod(i * 0.7131, 9) - 4.5;
    worst = std::max(worst, relative_error(power_of(base, exponent),
                                           std::pow(static_cast<long double>(base), exponent)));
  }
  EXPECT_LT(worst, 3e-16);
}

TEST(PortableMath, PowersWithTenMillionSteps) {
  for (const double gamma : {0.99994, 0.999987, 0.9999999, 1.00000003}) {
    for (const double t : {1.0, 1e3, 123457.0, 1e7}) {
      const long double exact =
          std::pow(static_cast<long double>(gamma), static_cast<long double>(t));
      EXPECT_LT(relative_error(power_of(gamma, t), exact), 5e-15) << gamma << "^" << t;
    }
  }
}

TEST(PortableMath, SinesAgreeWithLongDouble) {
  double worst = 0;
  for (std::int64_t i = 1; i <= 20'000; ++i) {
    const long double exact = std::sin(kHalfPi * static_cast<long double>(i) / 20'000.0L);
    worst = std::max(worst, relative_error(sine_of_quarter(i, 20'000), exact));
  }
  EXPECT_LT(worst, 4e-16);
  EXPECT_EQ(sine_of_quarter(0, 7), 0);
  EXPECT_EQ(sine_of_quarter(7, 7), 1);
}

TEST(PortableMath, EdgesAreFinite) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  EXPECT_EQ(power_of(1, 1e300), 1);
  EXPECT_EQ(power_of(2, 1024), kLargest);
  EXPECT_EQ(power_of(2, -1074), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(power_of(2, -1080), 0);
  EXPECT_EQ(power_of(0.5, 1e300), 0);
  EXPECT_EQ(power_of(std::numeric_limits<double>::infinity(), -1.5), power_of(kLargest, -1.5));
}

// Names of states hold these bits: a change of the formulas is a change of every name.
TEST(PortableMath, BitsOfRatesStay) {
  const auto bits = [](const LrFunction& f, std::int64_t t) {
    return std::bit_cast<std::uint64_t>(evaluate(f, t));
  };
  using enum LrFunctionKind;
  EXPECT_EQ(bits({.kind = kSinexp, .k0 = 1e-4, .k1 = 0.9, .gamma = 0.99994, .l = 2000}, 12'345),
            0x3fbd6c8d78c85dc7U);
  EXPECT_EQ(bits({.kind = kPoly, .k0 = 0.01, .p = 1.2, .l = 10'000}, 7'777), 0x3f5af632100f1392U);
  EXPECT_EQ(bits({.kind = kInv, .k0 = 0.01, .gamma = 1e-4, .p = 0.75}, 9'999), 0x3f785b1aa0db2195U);
  EXPECT_EQ(bits({.kind = kCos2, .k0 = 0.01, .k1 = 0.06, .l = 2000}, 5'001), 0x3f970517c2d60b16U);
}

}  // namespace
}  // namespace lrtune
