// What `lrtune export` writes and what it refuses. That the texts compute the right rates is
// handout_rates (tests/handout).
#include "coordinator/handout/handout.h"

#include <gmock/gmock.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/cli/export.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::Not;

Policy policy(const std::string& json) {
  return policy_from_json(nlohmann::json::parse(json), {.run_iterations = 10000}).value();
}

std::string text(const std::string& json, HandoutFormat format,
                 std::optional<std::int64_t> iterations = {}) {
  const auto made = hand_out(policy(json), format, iterations);
  return made ? *made : "refused: " + made.error().message;
}

constexpr const char* kSin2 = R"({"function":"sin2","k0":0.01,"k1":0.06,"l":2000})";

TEST(Handout, PlainPythonOfOneFunction) {
  EXPECT_THAT(text(kSin2, HandoutFormat::kPytorch), HasSubstr(R"(
import math


def learning_rate(t):
    """The rate of iteration t = 0, 1, 2 ... of a run."""
    part = t % 4000
    part = min(part, 4000 - part)
    wave = math.sin(math.pi / 2 * (part / 2000))
    return 0.01 + (0.06 - 0.01) * (wave * 0.5 ** (t // 4000))
)"));
}

TEST(Handout, EveryPythonFileHasThePolicyAsJson) {
  for (const auto format :
       {HandoutFormat::kPytorch, HandoutFormat::kKeras, HandoutFormat::kOptax}) {
    EXPECT_THAT(text(kSin2, format), HasSubstr(std::string("\n") + kSin2 + "\n\"\"\"\n"));
  }
}

TEST(Handout, KerasFindsEachPolicyUnderANameOfItsOwn) {
  const auto name = [](const std::string& text) {
    const std::size_t begin = text.find("LearningRate_");
    return text.substr(begin, text.find('"', begin) - begin);
  };
  const std::string one = name(text(kSin2, HandoutFormat::kKeras));
  EXPECT_EQ(one.size(), 25U);
  EXPECT_EQ(one, name(text(kSin2, HandoutFormat::kKeras)));
  EXPECT_NE(one, name(text(R"({"function":"fix","k0":0.01})", HandoutFormat::kKeras)));
}

TEST(Handout, CaffeHasSevenFunctions) {
  const auto caffe = [](const std::string& json) {
    const std::string all = text(json, HandoutFormat::kCaffe, 10000);
    return all.substr(all.rfind("#") == std::string::npos ? 0 : all.find("\nlr_policy") + 1);
  };
  EXPECT_EQ(caffe(R"({"function":"fix","k0":0.01})"),
            "lr_policy: \"fixed\"\nbase_lr: 0.01\nmax_iter: 10000\n");
  EXPECT_EQ(caffe(R"({"function":"step","k0":0.01,"gamma":0.85,"l":5000})"),
            "lr_policy: \"step\"\nbase_lr: 0.01\ngamma: 0.85\nstepsize: 5000\nmax_iter: 10000\n");
  EXPECT_EQ(caffe(R"({"function":"nstep","k0":0.01,"gamma":0.9,"l":[5000,7000]})"),
            "lr_policy: \"multistep\"\nbase_lr: 0.01\ngamma: 0.9\nstepvalue: 5000\n"
            "stepvalue: 7000\nmax_iter: 10000\n");
  EXPECT_EQ(caffe(R"({"function":"inv","k0":0.01,"gamma":0.0001,"p":0.75})"),
            "lr_policy: \"inv\"\nbase_lr: 0.01\ngamma: 0.0001\npower: 0.75\nmax_iter: 10000\n");
  EXPECT_EQ(caffe(R"({"function":"poly","k0":0.01,"p":1.2})"),
            "lr_policy: \"poly\"\nbase_lr: 0.01\npower: 1.2\nmax_iter: 10000\n");
  EXPECT_EQ(
      caffe(R"({"function":"sig","k0":0.01,"gamma":-0.02,"l":300})"),
      "lr_policy: \"sigmoid\"\nbase_lr: 0.01\ngamma: -0.02\nstepsize: 300\nmax_iter: 10000\n");
}

// float(0.99994) is 0.99994 (1 - 2.2e-8...): 10,000 times that is more than 1e-6.
TEST(Handout, CaffeSaysWhatItsSinglePrecisionCosts) {
  const std::string json = R"({"function":"exp","k0":0.01,"gamma":0.99994})";
  EXPECT_THAT(text(json, HandoutFormat::kCaffe, 10000), HasSubstr("gamma in single precision"));
  EXPECT_THAT(text(json, HandoutFormat::kCaffe, 10), Not(HasSubstr("single precision")));
}

TEST(Handout, CaffeRefusesWhatItHasNot) {
  const auto refusal = [](const std::string& json, std::optional<std::int64_t> iterations = {}) {
    return text(json, HandoutFormat::kCaffe, iterations);
  };
  EXPECT_THAT(refusal(kSin2),
              HasSubstr("refused: Caffe has no LR function like sin2; it has fixed"));
  EXPECT_THAT(
      refusal(R"({"segments":[{"until":5,"function":"fix","k0":1},{"function":"fix","k0":2}]})"),
      HasSubstr("one LR function for the whole run, and the policy has 2 segments"));
  EXPECT_THAT(refusal(R"({"segments":[{"from_t":7,"function":"exp","k0":1,"gamma":0.5}]})"),
              HasSubstr("starts at 0, and the policy has from_t 7"));
  EXPECT_THAT(refusal(R"({"function":"poly","k0":1,"k1":0.1,"p":1,"l":100})"),
              HasSubstr("ends at 0, and the policy's at k1 0.1"));
  EXPECT_THAT(refusal(R"({"function":"poly","k0":1,"p":1,"l":100})", 200),
              HasSubstr("l is 100 and the run has 200 iterations"));
  EXPECT_THAT(refusal(R"({"function":"step","k0":1,"gamma":0.5,"l":2147483648})"),
              HasSubstr("32 bits"));
  EXPECT_THAT(refusal(R"({"function":"fix","k0":1})", std::int64_t{1} << 31), HasSubstr("32 bits"));
}

TEST(Handout, TracedFormatsRefuseLengthsBeyond32Bits) {
  for (const auto format : {HandoutFormat::kKeras, HandoutFormat::kOptax}) {
    EXPECT_THAT(text(R"({"function":"tri","k0":1,"k1":2,"l":1073741824})", format),
                Not(HasSubstr("refused")));
    for (
        const char* json :
        {R"({"function":"tri","k0":1,"k1":2,"l":1073741825})",
         R"({"segments":[{"from_t":1073741825,"function":"exp","k0":1,"gamma":0.5}]})",
         R"({"function":"nstep","k0":1,"gamma":0.5,"l":[5,1073741825]})",
         R"({"segments":[{"until":1073741825,"function":"fix","k0":1},{"function":"fix","k0":2}]})"}) {
      EXPECT_THAT(text(json, format), HasSubstr("1073741825 is above 2^30")) << json;
    }
  }
}

struct Printed {
  int exit_code = -1;
  std::string out;
  std::string err;
};

Printed run(std::vector<std::string> arguments) {
  CLI::App app("test", "lrtune");
  Printed result;
  add_export_command(app, result.exit_code);
  arguments.insert(arguments.begin(), "export");
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    result.err = error.what();
  }
  result.out = testing::internal::GetCapturedStdout();
  result.err += testing::internal::GetCapturedStderr();
  return result;
}

class Export : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_.file(name)) << content;
    return folder_.file(name);
  }
  static std::string read(const std::string& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
  }
  TemporaryFolder folder_;
};

TEST_F(Export, WritesRows) {
  const std::string poly = "{function: poly, k0: 0.5, p: 1}";
  EXPECT_EQ(run({poly, "--format", "csv", "--iterations", "2"}).out, "t,lr\n0,0.5\n1,0.25\n");
  const Printed json = run({"{segments: [{until: 2, function: fix, k0: 1}]}", "--format", "json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["lr"], (std::vector<double>{1, 1}));
}

TEST_F(Export, TakesLengthAndEpochsFromAnExperiment) {
  const std::string experiment = write("e.yaml", R"(
name: e
train: {dataset: {name: cifar-10}, validation: 0.1, model: cnn3, optimizer: {name: sgd}, batch: 100}
run: {epochs: 2, evaluate: {every: 100}}
seed: 1
search: {method: list, policies: [{function: fix, k0: 0.1}]}
)");
  const Printed caffe = run({"{function: step, k0: 0.1, gamma: 0.5, l: 1 epochs}", "--format",
                             "caffe", "--experiment", experiment});
  EXPECT_EQ(caffe.exit_code, 0) << caffe.err;
  EXPECT_THAT(caffe.out, HasSubstr("stepsize: 450\nmax_iter: 900\n"));
}

TEST_F(Export, AnOutputFileIsThereWholeOrNotAtAll) {
  const std::string path = folder_.file("schedule.py");
  EXPECT_EQ(run({kSin2, "--format", "pytorch", "--output", path}).exit_code, 0);
  EXPECT_THAT(read(path), HasSubstr("def scheduler(optimizer"));
  EXPECT_EQ(run({kSin2, "--format", "caffe", "--output", path}).exit_code, 2);
  EXPECT_THAT(read(path), HasSubstr("def scheduler(optimizer"));
  const Printed nowhere = run({kSin2, "--format", "optax", "--output", folder_.file("no/such.py")});
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("cannot write"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.file("")), {}), 1);
}

TEST_F(Export, BadInputNamesTheThing) {
  const std::string nothing = folder_.file("none.db");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{kSin2, "--format", "csv"},
       "the policy has no end; say --iterations N or --experiment FILE"},
      {{"{function: poly, k0: 1, p: 1}", "--format", "optax"},
       "--iterations N or --experiment FILE says it"},
      {{"{function: step, k0: 1, gamma: 0.5, l: 3 epochs}", "--format", "keras"},
       "or say --experiment FILE"},
      {{"17", "--format", "csv", "--store", nothing}, "there is no store"},
      {{kSin2, "--format", "csv", "--experiment", nothing}, "cannot read"},
      {{"{function: sine, k0: 1}", "--format", "csv"}, "sine"},
  };
  for (const auto& [arguments, message] : cases) {
    const Printed result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(result.out, "");
  }
  EXPECT_THAT(run({kSin2, "--format", "matlab"}).err, HasSubstr("matlab not in {"));
}

}  // namespace
}  // namespace lrtune
