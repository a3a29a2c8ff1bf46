// What must hold for every LR function, whatever its parameters.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "common/policy/policy.h"

namespace lrtune {
namespace {

using enum LrFunctionKind;

constexpr std::uint32_t kSeed = 20240611;

LrFunction random_function(LrFunctionKind kind, std::mt19937& generator) {
  std::uniform_real_distribution<double> unit(0, 1);
  LrFunction f{.kind = kind, .k0 = std::pow(10, -4 * unit(generator))};
  f.k1 = std::pow(10, -4 * unit(generator));
  f.l = 1 + static_cast<std::int64_t>(generator() % 5000);
  f.gamma = 1 - std::pow(10, -1 - 5 * unit(generator));
  f.p = 0.1 + 3 * unit(generator);
  if (kind == kSig) f.gamma = -f.gamma / 100;
  if (kind == kNstep) {
    std::int64_t at = 0;
    for (int i = 0; i < 5; ++i)
      f.boundaries.push_back(at += 1 + static_cast<std::int64_t>(generator() % 2000));
  }
  return f;
}

// Calls `check` with random functions of the cyclic kinds that `wanted` accepts.
template <typename Wanted, typename Check>
void for_cyclic(Wanted wanted, Check check) {
  std::mt19937 generator(kSeed);
  for (const LrFunctionKind kind : all_lr_functions()) {
    if (family_of(kind) != LrFamily::kCyclic || !wanted(name_of(kind))) continue;
    for (int i = 0; i < 20; ++i) {
      const LrFunction f = random_function(kind, generator);
      SCOPED_TRACE(fmt::format("{} (seed {})", describe(Policy{{Segment{.function = f}}}), kSeed));
      check(f, generator);
    }
  }
}

bool any(std::string_view) { return true; }
bool plain(std::string_view name) { return !name.ends_with("2") && !name.ends_with("exp"); }
bool plain_but_rsw(std::string_view name) { return plain(name) && !name.ends_with("rsw"); }

std::int64_t random_t(std::mt19937& generator) {
  return static_cast<std::int64_t>(generator() % 10'000'000);
}

TEST(PolicyProperty, CyclicRatesStayBetweenTheirEnds) {
  for_cyclic(any, [](const LrFunction& f, std::mt19937& generator) {
    for (int i = 0; i < 200; ++i) {
      const double rate = evaluate(f, i < 100 ? i * f.l / 7 : random_t(generator));
      EXPECT_GE(rate, std::min(f.k0, f.k1));
      EXPECT_LE(rate, std::max(f.k0, f.k1));
    }
  });
}

TEST(PolicyProperty, CyclicFunctionsTreatTheirEndsAlike) {
  for_cyclic(any, [](const LrFunction& f, std::mt19937& generator) {
    LrFunction turned = f;
    std::swap(turned.k0, turned.k1);
    for (int i = 0; i < 20; ++i) {
      const std::int64_t t = random_t(generator);
      EXPECT_EQ(evaluate(f, t), evaluate(turned, t)) << "t=" << t;
    }
  });
}

TEST(PolicyProperty, PlainCyclicFunctionsRepeatExactlyEveryTwoL) {
  for_cyclic(plain, [](const LrFunction& f, std::mt19937& generator) {
    for (int i = 0; i < 50; ++i) {
      const auto t = static_cast<std::int64_t>(generator() % static_cast<std::uint32_t>(2 * f.l));
      const std::int64_t later = t + 2 * f.l * (random_t(generator) / (2 * f.l));
      EXPECT_EQ(evaluate(f, t), evaluate(f, later)) << "t=" << t << " and " << later;
    }
  });
}

TEST(PolicyProperty, WavesAreSymmetricalAboutTheirPeaks) {
  for_cyclic(plain_but_rsw, [](const LrFunction& f, std::mt19937& generator) {
    for (int i = 0; i < 50; ++i) {
      const auto t = static_cast<std::int64_t>(generator() % static_cast<std::uint32_t>(f.l));
      EXPECT_EQ(evaluate(f, f.l - t), evaluate(f, f.l + t)) << "t=" << t;
    }
  });
}

// The largest slope of any wave is that of sin at 0: pi/2 of the amplitude in l iterations.
TEST(PolicyProperty, WavesAreContinuousWhereTheFiguresShowIt) {
  for_cyclic(plain_but_rsw, [](const LrFunction& f, std::mt19937&) {
    const double most = 1.5708 * std::abs(f.k0 - f.k1) / static_cast<double>(f.l) + 1e-15;
    for (std::int64_t t = 0; t < 4 * f.l; ++t) {
      ASSERT_LE(std::abs(evaluate(f, t + 1) - evaluate(f, t)), most) << "t=" << t;
    }
  });
}

TEST(PolicyProperty, SawteethJumpFromTheLowEnd) {
  const LrFunction f{.kind = kRsw, .k0 = 0.01, .k1 = 0.06, .l = 100};
  for (const std::int64_t t : {0, 100, 200, 1000}) {
    EXPECT_EQ(evaluate(f, t), 0.01);
    EXPECT_NEAR(evaluate(f, t + 1), 0.01 + 0.05 * 0.99, 1e-15);
  }
}

TEST(PolicyProperty, HalvingFunctionsAreHalfTheWaveAfterEachCycle) {
  const auto halving = [](std::string_view name) { return name.ends_with("2"); };
  for_cyclic(halving, [](const LrFunction& f, std::mt19937&) {
    const std::int64_t cycle = name_of(f.kind).ends_with("rsw2") ? f.l : 2 * f.l;
    const double low = std::min(f.k0, f.k1);
    for (std::int64_t t = 0; t < 3 * cycle; t += 1 + f.l / 9) {
      const double above = evaluate(f, t) - low;
      EXPECT_NEAR(evaluate(f, t + cycle) - low, above / 2, 1e-15) << "t=" << t;
    }
  });
}

TEST(PolicyProperty, CosineHalvesAtOddMultiplesOfL) {
  const LrFunction f{.kind = kCos2, .k0 = 0, .k1 = 1, .l = 50};
  EXPECT_EQ(evaluate(f, 0), 1.0);
  EXPECT_EQ(evaluate(f, 100), 0.5);
  EXPECT_EQ(evaluate(f, 200), 0.25);
  EXPECT_LT(std::abs(evaluate(f, 49) / evaluate(f, 51) - 2), 1e-12);
}

TEST(PolicyProperty, ExponentialFunctionsAreThePlainWaveTimesGammaToT) {
  const auto exponential = [](std::string_view name) { return name.ends_with("exp"); };
  for_cyclic(exponential, [](const LrFunction& f, std::mt19937& generator) {
    LrFunction wave = f;
    wave.kind = static_cast<LrFunctionKind>(static_cast<int>(f.kind) - 2);
    const double low = std::min(f.k0, f.k1);
    for (int i = 0; i < 20; ++i) {
      const std::int64_t t = random_t(generator) % 100'000;
      const double factor = std::pow(f.gamma, static_cast<double>(t));
      EXPECT_NEAR(evaluate(f, t), low + factor * (evaluate(wave, t) - low), 1e-13) << "t=" << t;
    }
  });
}

TEST(PolicyProperty, DecayingFunctionsNeverRise) {
  std::mt19937 generator(kSeed);
  for (const LrFunctionKind kind : {kStep, kNstep, kExp, kInv, kPoly, kSig}) {
    for (int i = 0; i < 20; ++i) {
      LrFunction f = random_function(kind, generator);
      f.k1 = f.k0 / 10;
      double before = f.k0;
      for (std::int64_t t = 0; t < 12'000; t += 13) {
        const double rate = evaluate(f, t);
        ASSERT_LE(rate, before * (1 + 1e-15)) << name_of(kind) << " t=" << t << " seed " << kSeed;
        ASSERT_GE(rate, 0);
        before = rate;
      }
    }
  }
}

TEST(PolicyProperty, PolyStaysAtItsEndPastItsLength) {
  const LrFunction f{.kind = kPoly, .k0 = 0.1, .k1 = 0.003, .p = 1.2, .l = 1000};
  EXPECT_EQ(evaluate(f, 0), 0.1);
  EXPECT_GT(evaluate(f, 999), 0.003);
  for (const std::int64_t t : {1000, 1001, 10'000'000}) EXPECT_EQ(evaluate(f, t), 0.003);
}

TEST(PolicyProperty, NstepStepsAtItsBoundariesAndStays) {
  const LrFunction f{.kind = kNstep, .k0 = 1, .gamma = 0.5, .boundaries = {10, 15, 40}};
  const std::vector<std::pair<std::int64_t, double>> expected = {
      {0, 1},     {9, 1},     {10, 0.5},   {14, 0.5},
      {15, 0.25}, {39, 0.25}, {40, 0.125}, {10'000'000, 0.125}};
  for (const auto& [t, rate] : expected) EXPECT_DOUBLE_EQ(evaluate(f, t), rate) << "t=" << t;
}

TEST(PolicyProperty, StepsFallAtMultiplesOfL) {
  const LrFunction f{.kind = kStep, .k0 = 1, .gamma = 0.5, .l = 7};
  EXPECT_EQ(evaluate(f, 6), 1);
  EXPECT_DOUBLE_EQ(evaluate(f, 7), 0.5);
  EXPECT_DOUBLE_EQ(evaluate(f, 13), 0.5);
  EXPECT_DOUBLE_EQ(evaluate(f, 14), 0.25);
}

TEST(PolicyProperty, GrowthEndsAtTheLargestDoubleAndDecayAtZero) {
  LrFunction f{.kind = kExp, .k0 = 3, .gamma = 1.5};
  EXPECT_EQ(evaluate(f, 10'000'000), std::numeric_limits<double>::max());
  f.gamma = 0.5;
  EXPECT_EQ(evaluate(f, 10'000'000), 0);
  f = {.kind = kSinexp, .k0 = 1, .k1 = 3, .gamma = 1.5, .l = 5};
  EXPECT_EQ(evaluate(f, 10'000'000), 1);  // the wave is 0 there
  EXPECT_EQ(evaluate(f, 10'000'003), std::numeric_limits<double>::max());
}

TEST(PolicyProperty, SegmentsRestartTheirFunctionAndTheLastGoesOn) {
  const LrFunction tri{.kind = kTri, .k0 = 0.001, .k1 = 0.005, .l = 300};
  const LrFunction exp{.kind = kExp, .k0 = 0.1, .gamma = 0.99};
  const Policy policy{{{tri, 1000, 0}, {exp, 1500, 0}, {tri, 2000, 70}}};
  for (const std::int64_t t : {0, 1, 499}) {
    EXPECT_EQ(learning_rate(policy, t), evaluate(tri, t));
    EXPECT_EQ(learning_rate(policy, 1000 + t), evaluate(exp, t));
    EXPECT_EQ(learning_rate(policy, 1500 + t), evaluate(tri, t + 70));
  }
  EXPECT_EQ(learning_rate(policy, 999), evaluate(tri, 999));
  EXPECT_EQ(learning_rate(policy, 9000), evaluate(tri, 7500 + 70));
}

TEST(PolicyProperty, ManyRatesHaveTheBitsOfSingleOnes) {
  std::mt19937 generator(kSeed);
  for (int round = 0; round < 300; ++round) {
    Policy policy;
    const std::size_t segments = 1 + generator() % 4;
    std::int64_t until = 0;
    for (std::size_t i = 0; i < segments; ++i) {
      const auto kind = all_lr_functions()[generator() % all_lr_functions().size()];
      until += 1 + static_cast<std::int64_t>(generator() % 3000);
      policy.segments.push_back(
          {random_function(kind, generator), until, static_cast<std::int64_t>(generator() % 50)});
    }
    const auto first = static_cast<std::int64_t>(generator() % 8000);
    std::vector<double> rates(2000);
    learning_rates(policy, first, rates);
    for (std::size_t i = 0; i < rates.size(); ++i) {
      const double single = learning_rate(policy, first + static_cast<std::int64_t>(i));
      ASSERT_EQ(std::bit_cast<std::uint64_t>(rates[i]), std::bit_cast<std::uint64_t>(single))
          << describe(policy) << " t=" << first + static_cast<std::int64_t>(i) << " seed " << kSeed;
    }
  }
}

}  // namespace
}  // namespace lrtune
