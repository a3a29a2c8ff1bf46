// The text forms of policies: round trips, and one clear error for each bad input.
#include "common/policy/policy_json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "common/config/located_json.h"
#include "common/policy/policy_yaml.h"
#include "common/policy/run_rates.h"

namespace lrtune {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::uint32_t kSeed = 77;

Policy read(const char* text, const PolicyContext& context = {}) {
  const auto policy = policy_from_json(json::parse(text), context);
  EXPECT_TRUE(policy) << text << ": " << (policy ? "" : policy.error().message);
  return policy.value_or(Policy{});
}

Error error_of(const json& value, const PolicyContext& context = {}) {
  const auto policy = policy_from_json(value, context, "/p");
  EXPECT_FALSE(policy) << value;
  return policy ? Error{} : policy.error();
}

double random_rate(std::mt19937& generator) {
  const std::uint64_t low = generator();
  const std::uint64_t mantissa =
      (static_cast<std::uint64_t>(generator()) << 20U ^ low) & 0xFFFFFFFFFFFFFU;
  const std::uint64_t exponent = 1023 - 40 + generator() % 44;  // 2^-40 to 2^3
  return std::bit_cast<double>(exponent << 52U | mantissa);
}

LrFunction random_function(std::mt19937& generator) {
  const LrFunctionKind kind = all_lr_functions()[generator() % all_lr_functions().size()];
  json form{{"function", name_of(kind)}};
  // Every parameter, then only those that the function takes.
  for (const char* key : {"k0", "k1", "gamma", "p"}) form[key] = random_rate(generator);
  form["l"] = 1 + generator() % 1'000'000;
  if (kind == LrFunctionKind::kNstep) form["l"] = {5, 9, 10 + generator() % 1000};
  for (const char* key : {"k1", "gamma", "p", "l"}) {
    json without = form;
    without.erase(key);
    const auto policy = policy_from_json(form, {});
    if (!policy &&
        policy.error().message.find(fmt::format("takes no {};", key)) != std::string::npos)
      form = without;
  }
  return policy_from_json(form, {}).value().segments.front().function;
}

Policy random_reactive_policy(std::mt19937& generator) {
  Plateau plateau;
  plateau.functions.resize(1 + generator() % 8);
  for (LrFunction& function : plateau.functions) function = random_function(generator);
  std::ranges::sort(plateau.functions, std::greater<>(),
                    [](const LrFunction& function) { return std::max(function.k0, function.k1); });
  const auto below = [&](std::uint64_t limit) {
    return static_cast<std::int64_t>(generator() % limit);
  };
  plateau.start = generator() % plateau.functions.size();
  plateau.every = 1 + below(1000);
  plateau.metric = static_cast<PlateauMetric>(generator() % 3);
  plateau.window = 2 + below(9);
  plateau.threshold = random_rate(generator);
  plateau.cooldown = below(9);
  plateau.length = 1 + below(1 << 30);
  return {.segments = {}, .plateau = std::move(plateau)};
}

Policy random_policy(std::mt19937& generator) {
  if (generator() % 4 == 0) return random_reactive_policy(generator);
  Policy policy;
  std::int64_t until = 0;
  const std::size_t segments = 1 + generator() % 4;
  for (std::size_t i = 0; i < segments; ++i) {
    until += 1 + static_cast<std::int64_t>(generator() % 100'000);
    const bool endless = i + 1 == segments && generator() % 2 == 0;
    const std::int64_t from_t =
        generator() % 3 == 0 ? static_cast<std::int64_t>(generator() % 5000) : 0;
    policy.segments.push_back({random_function(generator), endless ? kNoEnd : until, from_t});
  }
  return policy;
}

TEST(PolicyJson, IsNoLargerThanAFrameOfTheProtocolHolds) {
  json boundaries;
  for (std::size_t i = 1; i <= kMostBoundaries; ++i) boundaries.push_back(i);
  const json largest = {{"function", "nstep"}, {"k0", 1}, {"gamma", 0.5}, {"l", boundaries}};
  EXPECT_TRUE(policy_from_json(largest, {}));
  boundaries.push_back(kMostBoundaries + 1);
  const json larger = {{"function", "nstep"}, {"k0", 1}, {"gamma", 0.5}, {"l", boundaries}};
  EXPECT_EQ(error_of(larger).message, "l of nstep has 2001 iterations; at most 2000 are allowed");
  EXPECT_EQ(error_of(larger).path, "/p/l");

  json twice = {largest, largest};
  twice[0]["until"] = 5000;
  EXPECT_THAT(error_of({{"segments", twice}}).message, HasSubstr("more than 2000 iterations"));

  json segments;
  for (std::size_t i = 1; i <= kMostSegments; ++i) {
    segments.push_back({{"function", "fix"}, {"k0", 0.1}, {"until", i}});
  }
  EXPECT_TRUE(policy_from_json({{"segments", segments}}, {}));
  segments.push_back({{"function", "fix"}, {"k0", 0.1}});
  EXPECT_EQ(error_of({{"segments", segments}}).message,
            "the policy has 257 segments; at most 256 are allowed");
}

TEST(PolicyJson, RoundTripsThroughJsonTextAreExact) {
  std::mt19937 generator(kSeed);
  for (int i = 0; i < 500; ++i) {
    const Policy policy = random_policy(generator);
    const std::string text = to_json(policy).dump();
    const auto back = policy_from_json(json::parse(text), {});
    ASSERT_TRUE(back) << text << ": " << back.error().message;
    ASSERT_EQ(*back, policy) << text << " seed " << kSeed;
  }
}

TEST(PolicyYaml, RoundTripsThroughYamlTextAreExact) {
  std::mt19937 generator(kSeed);
  for (int i = 0; i < 500; ++i) {
    const Policy policy = random_policy(generator);
    const std::string text = policy_to_yaml(policy, static_cast<int>(generator() % 5));
    const auto parsed = yaml_to_json(text, "policy.yaml");
    ASSERT_TRUE(parsed) << text << parsed.error().message;
    const auto back = policy_from_json(*parsed, {});
    ASSERT_TRUE(back) << text << back.error().message;
    ASSERT_EQ(*back, policy) << text << " seed " << kSeed;
  }
}

TEST(PolicyYaml, SmallNumbersHaveAPointAsYaml11Wants) {
  const Policy policy = read(R"({"function":"step","k0":1e-5,"gamma":1,"l":2000})");
  EXPECT_EQ(policy_to_yaml(policy, 2),
            "  function: step\n  k0: 1.0e-05\n  gamma: 1.0\n  l: 2000\n");
}

TEST(PolicyYaml, SegmentsAreAList) {
  const Policy policy = read(
      R"({"segments":[{"until":50,"function":"fix","k0":0.1},{"function":"nstep","k0":0.1,"gamma":0.5,"l":[3,4],"from_t":2}]})");
  EXPECT_EQ(policy_to_yaml(policy),
            "segments:\n  - until: 50\n    function: fix\n    k0: 0.1\n"
            "  - function: nstep\n    k0: 0.1\n    gamma: 0.5\n    l: [3, 4]\n    from_t: 2\n");
}

TEST(PolicyJson, DescribesPoliciesInOneLine) {
  EXPECT_EQ(describe(read(R"({"function":"sin2","k0":0.01,"k1":0.06,"l":2000})")),
            "SIN2 k0=0.01 k1=0.06 l=2000");
  EXPECT_EQ(
      describe(read(
          R"({"segments":[{"until":5,"function":"tri","k0":0,"k1":1,"l":2},{"function":"fix","k0":0.001}]})")),
      "composite: TRI k0=0 k1=1 l=2 until 5; FIX k0=0.001");
}

TEST(PolicyJson, NamesStandBeforeTheDescription) {
  EXPECT_EQ(named("", "FIX k0=1"), "FIX k0=1");
  EXPECT_EQ(named("too low", "FIX k0=1"), "too low: FIX k0=1");
  EXPECT_EQ(named("two", "composite: FIX k0=1 until 5; FIX k0=2"),
            "two: FIX k0=1 until 5; FIX k0=2");
  EXPECT_EQ(named("a\n\x1b[1mb", "FIX k0=1"), "a  [1mb: FIX k0=1");
}

TEST(PolicyJson, PolyTakesItsLengthFromTheRunOrTheSegment) {
  const PolicyContext run{.run_iterations = 1000};
  EXPECT_EQ(read(R"({"function":"poly","k0":1,"p":2})", run).segments[0].function.l, 1000);
  const Policy policy = read(
      R"({"segments":[{"until":300,"function":"poly","k0":1,"p":2},{"function":"poly","k0":1,"p":2}]})",
      run);
  EXPECT_EQ(policy.segments[0].function.l, 300);
  EXPECT_EQ(policy.segments[1].function.l, 700);
  EXPECT_EQ(policy.segments[1].function.k1, 0);
}

TEST(PolicyJson, LengthsInEpochsBecomeIterations) {
  const PolicyContext mnist{.samples_per_epoch = 60000, .batch = 100};
  EXPECT_EQ(read(R"({"function":"step","k0":1,"gamma":0.5,"l":"15 epochs"})", mnist)
                .segments[0]
                .function.l,
            9000);
  EXPECT_EQ(read(R"({"function":"step","k0":1,"gamma":0.5,"l":"0.07 epochs"})", mnist)
                .segments[0]
                .function.l,
            42);
  const PolicyContext uneven{.samples_per_epoch = 50000, .batch = 128};
  const Policy policy = read(
      R"({"segments":[{"until":"1 epoch","function":"fix","k0":1},{"function":"nstep","k0":1,"gamma":0.5,"l":["2 epochs", 1000],"from_t":"0.5 epochs"}]})",
      uneven);
  EXPECT_EQ(policy.segments[0].until, 391);
  EXPECT_EQ(policy.segments[1].from_t, 196);
  EXPECT_EQ(policy.segments[1].function.boundaries, (std::vector<std::int64_t>{782, 1000}));
}

TEST(PolicyJson, ZeroAndNegativeZeroAreOneRate) {
  const Policy policy = policy_from_json(json{{"function", "fix"}, {"k0", -0.0}}, {}).value();
  EXPECT_FALSE(std::signbit(learning_rate(policy, 3)));
}

// Every setting that a run can give.
TEST(PolicyJson, AReactivePolicyTakesItsLengthsFromTheRun) {
  const PolicyContext run{
      .run_iterations = 9380, .samples_per_epoch = 50000, .batch = 32, .evaluate_every = 1563};
  const char* const text =
      R"({"controller":"plateau","functions":[{"function":"fix","k0":0.1},{"function":"poly","k0":0.1,"p":2}],"start":1})";
  const Plateau plateau = read(text, run).plateau.value();
  EXPECT_EQ(plateau.every, 1563);
  EXPECT_EQ(plateau.length, 9380);
  EXPECT_EQ(plateau.functions[1].l, 9380);
  EXPECT_EQ(plateau.metric, PlateauMetric::kTrainLoss);
  EXPECT_EQ(plateau.window, 5);
  EXPECT_EQ(plateau.threshold, 0.05);
  EXPECT_EQ(plateau.cooldown, 5);
  const char* const epochs =
      R"({"controller":"plateau","functions":[{"function":"fix","k0":0.1}],"start":0,"every":"2 epochs","length":"30 epochs"})";
  const auto read_epochs = read(epochs, {.samples_per_epoch = 50000, .batch = 32});
  EXPECT_EQ(read_epochs.plateau->length, 46875);
  EXPECT_EQ(read_epochs.plateau->every, 3125);
}

TEST(PolicyJson, AControllerIsAskedAtEvaluations) {
  const PolicyContext run{.run_iterations = 1000, .evaluate_every = 100};
  json form = json::parse(
      R"({"controller":"plateau","functions":[{"function":"fix","k0":0.1}],"start":0,"every":250})");
  const Error error = error_of(form, run);
  EXPECT_EQ(error.path, "/p/every");
  EXPECT_THAT(error.message, HasSubstr("must be a multiple of the 100 iterations between "
                                       "evaluations (run.evaluate.every), not 250"));
  form["every"] = 300;
  EXPECT_EQ(policy_from_json(form, run)->plateau->every, 300);
}

TEST(PolicyJson, AReactivePolicyIsDescribed) {
  const Policy policy = read(
      R"({"controller":"plateau","functions":[{"function":"fix","k0":0.3},{"function":"fix","k0":0.2},{"function":"fix","k0":0.1}],"start":1,"every":10,"length":100,"metric":"top1"})");
  EXPECT_EQ(describe(policy),
            "PLATEAU of top1 over 3 [FIX k0=0.3 ... FIX k0=0.1] start=1 every=10");
  EXPECT_EQ(scaled(policy, 2).plateau->functions[1].k0, 0.4);
}

struct BadInput {
  const char* name;
  const char* text;
  const char* path;
  const char* message;  // a part of it
};

void PrintTo(const BadInput& bad, std::ostream* out) { *out << bad.name; }

class PolicyErrors : public testing::TestWithParam<BadInput> {};

TEST_P(PolicyErrors, NameThePlaceAndWhatIsAllowed) {
  const Error error = error_of(json::parse(GetParam().text));
  EXPECT_THAT(error.message, HasSubstr(GetParam().message));
  EXPECT_EQ(error.path, GetParam().path);
}

const BadInput kBadInputs[] = {
    {"NoMap", "[1]", "/p", "policy must be a map of keys to values, not [1]"},
    {"Number", "0.1", "/p", "policy must be a map of keys to values, not 0.1"},
    {"NoFunction", R"({"k0":1})", "/p", "policy needs the key 'function'"},
    {"UnknownFunction", R"({"function":"sinn","k0":1})", "/p/function", "did you mean 'sin'?"},
    {"FunctionIsNumber", R"({"function":7})", "/p/function", "must be one of fix, step,"},
    {"NoK0", R"({"function":"fix"})", "/p", "fix needs the key 'k0'"},
    {"NegativeK0", R"({"function":"fix","k0":-1})", "/p/k0",
     "k0 of fix must be at least 0, not -1"},
    {"K0IsText", R"({"function":"fix","k0":"nan"})", "/p/k0", "not \"nan\""},
    {"K0IsNull", R"({"function":"fix","k0":null})", "/p/k0", "k0 of fix must be a number"},
    {"K0IsList", R"({"function":"fix","k0":[1,2]})", "/p/k0", "k0 of fix must be a number"},
    {"CyclicWithoutK1", R"({"function":"tri","k0":1,"l":5})", "/p", "tri needs the key 'k1'"},
    {"NegativeK1", R"({"function":"tri","k0":1,"k1":-2,"l":5})", "/p/k1",
     "k1 of tri must be at least 0, not -2"},
    {"NoL", R"({"function":"tri","k0":1,"k1":2})", "/p", "tri needs the key 'l'"},
    {"NegativeL", R"({"function":"tri","k0":1,"k1":2,"l":-5})", "/p/l",
     "l of tri must be a whole number of iterations from 1 to 2^53"},
    {"ZeroL", R"({"function":"step","k0":1,"gamma":0.5,"l":0})", "/p/l",
     "l of step must be a whole number of iterations from 1"},
    {"BrokenL", R"({"function":"tri","k0":1,"k1":2,"l":2.5})", "/p/l", "not 2.5"},
    {"HugeL", R"({"function":"tri","k0":1,"k1":2,"l":9007199254740993})", "/p/l", "to 2^53"},
    {"LInWeeks", R"({"function":"tri","k0":1,"k1":2,"l":"2 weeks"})", "/p/l",
     "or a text such as \"15 epochs\""},
    {"EpochsUnknown", R"({"function":"tri","k0":1,"k1":2,"l":"2 epochs"})", "/p/l",
     "the samples of an epoch and the batch are not known"},
    {"LIsAList", R"({"function":"tri","k0":1,"k1":2,"l":[5]})", "/p/l",
     "l of tri must be a whole number"},
    {"GammaZero", R"({"function":"exp","k0":1,"gamma":0})", "/p/gamma",
     "gamma of exp must be above 0, not 0"},
    {"NegativeGamma", R"({"function":"triexp","k0":1,"k1":2,"l":5,"gamma":-1})", "/p/gamma",
     "gamma of triexp must be above 0, not -1"},
    {"NoGamma", R"({"function":"exp","k0":1})", "/p", "exp needs the key 'gamma'"},
    {"SigGammaZero", R"({"function":"sig","k0":1,"gamma":0,"l":5})", "/p/gamma",
     "gamma of sig must not be 0"},
    {"ForeignGamma", R"({"function":"sin","k0":1,"k1":2,"l":5,"gamma":0.9})", "/p/gamma",
     "sin takes no gamma; its parameters are k0, k1, l"},
    {"ForeignK1", R"({"function":"fix","k0":1,"k1":2})", "/p/k1",
     "fix takes no k1; its parameters are k0"},
    {"ForeignP", R"({"function":"exp","k0":1,"gamma":0.9,"p":2})", "/p/p",
     "exp takes no p; its parameters are k0, gamma"},
    {"ForeignL", R"({"function":"inv","k0":1,"gamma":0.9,"p":2,"l":4})", "/p/l",
     "inv takes no l; its parameters are k0, gamma, p"},
    {"NoP", R"({"function":"inv","k0":1,"gamma":0.9})", "/p", "inv needs the key 'p'"},
    {"ZeroP", R"({"function":"poly","k0":1,"p":0,"l":4})", "/p/p",
     "p of poly must be above 0, not 0"},
    {"PolyWithoutLength", R"({"function":"poly","k0":1,"p":1})", "/p", "poly needs the key 'l'"},
    {"UnknownKey", R"({"function":"fix","k0":1,"colour":2})", "/p/colour",
     "fix has no key 'colour'"},
    {"NstepWithoutList", R"({"function":"nstep","k0":1,"gamma":0.1,"l":5})", "/p/l",
     "l of nstep must be a list of one iteration or more"},
    {"NstepEmpty", R"({"function":"nstep","k0":1,"gamma":0.1,"l":[]})", "/p/l",
     "l of nstep must be a list of one iteration or more"},
    {"BoundariesOutOfOrder", R"({"function":"nstep","k0":1,"gamma":0.1,"l":[9,7]})", "/p/l/1",
     "entry 2 of l of nstep must be above the one before it: 7 after 9"},
    {"BoundaryTwice", R"({"function":"nstep","k0":1,"gamma":0.1,"l":[7,7]})", "/p/l/1",
     "7 after 7"},
    {"BoundaryZero", R"({"function":"nstep","k0":1,"gamma":0.1,"l":[0]})", "/p/l/0",
     "entry 1 of l of nstep must be a whole number of iterations from 1"},
    {"NoController", R"({"controller":"pid","functions":[]})", "/p/controller",
     "controller of reactive policy must be one of plateau"},
    {"NoFunctions", R"({"controller":"plateau"})", "/p", "needs the key 'functions'"},
    {"EmptyFunctions", R"({"controller":"plateau","functions":[]})", "/p/functions",
     "functions must be a list of 1 to 64 LR functions"},
    {"AscendingFunctions",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1},{"function":"fix","k0":2}]})",
     "/p/functions/1", "must stand in descending order: the highest rate of this one, 2, is above"},
    {"UntilOfAFunction",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1,"until":9}]})",
     "/p/functions/0/until", "which take no 'until'"},
    {"ControllerInAController",
     R"({"controller":"plateau","functions":[{"controller":"plateau"}]})",
     "/p/functions/0/controller", "which take no 'controller'"},
    {"BadFunction", R"({"controller":"plateau","functions":[{"function":"fix"}]})",
     "/p/functions/0", "fix needs the key 'k0'"},
    {"NoStart", R"({"controller":"plateau","functions":[{"function":"fix","k0":1}]})", "/p",
     "needs the key 'start'"},
    {"StartPastTheList",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1}],"start":1})", "/p/start",
     "start of reactive policy must be"},
    {"NoEvery",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1}],"start":0,"length":9})",
     "/p", "needs the key 'every', because the run's interval of evaluations is not known"},
    {"NoLength",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1}],"start":0,"every":9})",
     "/p", "needs the key 'length', because the length of the run is not known"},
    {"WindowOfOne",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1}],"start":0,"every":9,"length":9,"window":1})",
     "/p/window", "window of reactive policy must be"},
    {"NegativeThreshold",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1}],"start":0,"every":9,"length":9,"threshold":-0.1})",
     "/p/threshold", "threshold of reactive policy must be at least 0"},
    {"UnknownMetric",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1}],"start":0,"every":9,"length":9,"metric":"top2"})",
     "/p/metric", "did you mean 'top1'?"},
    {"SegmentsOfAController",
     R"({"controller":"plateau","functions":[{"function":"fix","k0":1}],"start":0,"every":9,"length":9,"segments":[]})",
     "/p/segments", "reactive policy has no key 'segments'"},
    {"ControllerInASegment", R"({"segments":[{"controller":"plateau"}]})",
     "/p/segments/0/controller", "a segment cannot hold a 'controller'"},
    {"UntilOutside", R"({"function":"fix","k0":1,"until":5})", "/p/until",
     "'until' belongs to a segment"},
    {"FromTOutside", R"({"function":"fix","k0":1,"from_t":5})", "/p/from_t",
     "'from_t' belongs to a segment"},
    {"NoSegments", R"({"segments":[]})", "/p/segments",
     "segments must be a list of one segment or more"},
    {"SegmentsAreAMap", R"({"segments":{}})", "/p/segments", "segments must be a list"},
    {"FunctionAndSegments", R"({"function":"fix","segments":[{"function":"fix","k0":1}]})",
     "/p/function", "policy has no key 'function'"},
    {"SegmentIsNumber", R"({"segments":[3]})", "/p/segments/0", "segment must be a map"},
    {"NoUntil", R"({"segments":[{"function":"fix","k0":1},{"function":"fix","k0":1}]})",
     "/p/segments/0", "needs the key 'until'"},
    {"UntilOutOfOrder",
     R"({"segments":[{"until":9,"function":"fix","k0":1},{"until":9,"function":"fix","k0":1}]})",
     "/p/segments/1/until", "until must be above 9, the end of the segment before, not 9"},
    {"NegativeFromT", R"({"segments":[{"from_t":-1,"function":"fix","k0":1}]})",
     "/p/segments/0/from_t", "from_t must be a whole number of iterations from 0"},
    {"NestedSegments", R"({"segments":[{"until":9,"segments":[]}]})", "/p/segments/0/segments",
     "a segment cannot hold 'segments' itself"},
    {"ErrorInSegment", R"({"segments":[{"function":"exp","k0":1,"gamma":0}]})",
     "/p/segments/0/gamma", "gamma of exp must be above 0, not 0"},
};

INSTANTIATE_TEST_SUITE_P(All, PolicyErrors, testing::ValuesIn(kBadInputs),
                         [](const auto& bad) { return std::string(bad.param.name); });

TEST(PolicyJson, NotANumberAndInfinityAreErrors) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const char* key : {"k0", "k1", "gamma"}) {
      json form{{"function", "sinexp"}, {"k0", 1}, {"k1", 2}, {"gamma", 0.9}, {"l", 10}};
      form[key] = bad;
      const Error error = error_of(form);
      EXPECT_EQ(error.path, fmt::format("/p/{}", key));
      EXPECT_THAT(error.message, HasSubstr(fmt::format("{} of sinexp must be", key)));
    }
  }
}

TEST(PolicyJson, PolyAfterTheEndOfTheRunNeedsALength) {
  const json form = json::parse(
      R"({"segments":[{"until":900,"function":"fix","k0":1},{"function":"poly","k0":1,"p":1}]})");
  const Error error = error_of(form, {.run_iterations = 800});
  EXPECT_THAT(error.message, HasSubstr("its segment starts at or after the end of the run"));
}

json random_json(std::mt19937& generator, int depth) {
  static const char* const kTexts[] = {"fix", "sin2", "nstep", "poly",      "3 epochs",
                                       "nan", "\xff", "",      "1e9 epochs"};
  switch (generator() % (depth > 0 ? 9 : 6)) {
    case 0:
      return nullptr;
    case 1:
      return generator() % 2 == 0;
    case 2:
      return static_cast<std::int64_t>(generator()) - 2'000'000'000;
    case 3:
      return random_rate(generator);
    case 4:
      return kTexts[generator() % std::size(kTexts)];
    case 5:
      return std::numeric_limits<double>::quiet_NaN();
    case 6: {
      json list = json::array();
      for (std::size_t i = generator() % 4; i > 0; --i)
        list.push_back(random_json(generator, depth - 1));
      return list;
    }
    default: {
      static const char* const kKeys[] = {"function", "k0",     "k1",       "gamma", "p", "l",
                                          "until",    "from_t", "segments", "name",  "x"};
      json map = json::object();
      for (std::size_t i = generator() % 7; i > 0; --i)
        map[kKeys[generator() % std::size(kKeys)]] = random_json(generator, depth - 1);
      if (generator() % 2 == 0) map["function"] = kTexts[generator() % 4];
      return map;
    }
  }
}

// A good policy with one value replaced by anything.
json damaged_policy(std::mt19937& generator) {
  json form = to_json(random_policy(generator));
  json* map = &form;
  for (const char* list : {"segments", "functions"}) {
    if (form.contains(list) && generator() % 2 == 0)
      map = &form[list][generator() % form[list].size()];
  }
  auto item = map->begin();
  std::advance(item, static_cast<std::ptrdiff_t>(generator() % map->size()));
  *item = random_json(generator, 2);
  return form;
}

TEST(PolicyJson, AnyJsonGivesAPolicyOrAnErrorWithWords) {
  std::mt19937 generator(kSeed);
  int policies = 0;
  for (int i = 0; i < 10'000; ++i) {
    const json form = i % 2 == 0 ? random_json(generator, 4) : damaged_policy(generator);
    const auto policy =
        policy_from_json(form, {.run_iterations = 100, .samples_per_epoch = 50, .batch = 7});
    if (!policy) {
      ASSERT_FALSE(policy.error().message.empty()) << "seed " << kSeed << " round " << i;
      continue;
    }
    ++policies;
    ASSERT_EQ(policy_from_json(to_json(*policy), {}).value(), *policy)
        << "seed " << kSeed << " round " << i;
    ASSERT_GE(RunRates(*policy).at(12'345'678), 0) << to_json(*policy);
  }
  EXPECT_GT(policies, 100);
}

}  // namespace
}  // namespace lrtune
