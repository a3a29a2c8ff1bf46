// `lrtune schedule`, as a user types it.
#include "coordinator/cli/schedule.h"

#include <gmock/gmock.h>

#include <stdlib.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/cli/rate_rows.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kSin2 = R"({"function":"sin2","k0":0.01,"k1":0.06,"l":2000})";

struct Printed {
  int exit_code = -1;
  std::string out;
  std::string err;
};

Printed run(std::vector<std::string> arguments) {
  CLI::App app("test", "lrtune");
  Printed result;
  add_schedule_command(app, result.exit_code);
  arguments.insert(arguments.begin(), "schedule");
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

// A folder of this test alone, removed at its end.
class ScheduleFiles : public testing::Test {
 protected:
  ScheduleFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "lrtune-schedule-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~ScheduleFiles() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  static std::string read(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

TEST(Schedule, PrintsTheIterationsThatAreAskedFor) {
  const Printed result = run({kSin2, "--at", "0,2000,4000"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "t,lr\n0,0.01\n2000,0.06\n4000,0.01\n");
  EXPECT_EQ(result.err, "");
}

TEST(Schedule, PrintsARangeWithExactDigits) {
  const Printed result = run({kSin2, "--iterations", "20000"});
  EXPECT_EQ(result.exit_code, 0);
  std::istringstream lines(result.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "t,lr");
  const Policy policy = policy_from_json(nlohmann::json::parse(kSin2), {}).value();
  std::int64_t t = 0;
  for (; std::getline(lines, line); ++t) {
    const std::size_t comma = line.find(',');
    ASSERT_EQ(line.substr(0, comma), std::to_string(t));
    ASSERT_EQ(std::strtod(line.c_str() + comma + 1, nullptr), learning_rate(policy, t)) << line;
  }
  EXPECT_EQ(t, 20000);
}

TEST(Schedule, PrintsJson) {
  const Printed listed = run({kSin2, "--at", "0,2000", "--json"});
  EXPECT_EQ(listed.out,
            std::string("{\"policy\":") + kSin2 + ",\"t\":[0,2000],\"lr\":[0.01,0.06]}\n");
  const Printed range = run({kSin2, "--iterations", "10000", "--json"});
  const nlohmann::json json = nlohmann::json::parse(range.out);
  EXPECT_EQ(json["t"].size(), 10000U);
  EXPECT_EQ(json["t"][9999], 9999);
  EXPECT_EQ(json["lr"].size(), 10000U);
  EXPECT_EQ(json["lr"][2000], 0.06);
}

TEST(Schedule, PolyTakesTheIterationsAsItsLength) {
  const Printed result = run({"{function: poly, k0: 0.5, p: 1}", "--iterations", "5"});
  EXPECT_EQ(result.out, "t,lr\n0,0.5\n1,0.4\n2,0.3\n3,0.2\n4,0.1\n");
}

TEST(Schedule, APolicyWithAnEndNeedsNoIterations) {
  const Printed result =
      run({"{segments: [{until: 2, function: fix, k0: 1.0}, {until: 3, function: fix, k0: 0.5}]}"});
  EXPECT_EQ(result.out, "t,lr\n0,1\n1,1\n2,0.5\n");
}

TEST(Schedule, EpochsNeedTheSizesOfEpochAndBatch) {
  const char* const policy = "{function: step, k0: 1.0, gamma: 0.5, l: 2 epochs}";
  EXPECT_EQ(run({policy, "--at", "1199,1200", "--epoch-samples", "60000", "--batch", "100"}).out,
            "t,lr\n1199,1\n1200,0.5\n");
  const Printed without = run({policy, "--at", "1"});
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("the samples of an epoch and the batch are not known"));
  EXPECT_THAT(run({policy, "--at", "1", "--batch", "100"}).err,
              HasSubstr("--batch requires --epoch-samples"));
}

TEST(Schedule, BadInputSaysWhatIsWrong) {
  struct {
    std::vector<std::string> arguments;
    const char* message;
  } const cases[] = {
      {{"{function: exp, k0: 0.1, gamma: 0}", "--at", "1"},
       "POLICY:1: gamma of exp must be above 0, not 0 (gamma)"},
      {{"{function: fix, k0: .nan}", "--at", "1"}, "k0 of fix must be at least 0, not nan"},
      {{"{function: fix, k0: 1}"}, "the policy has no end; say --iterations N or --at T,T,..."},
      {{"{function: poly, k0: 1, p: 1}", "--at", "1"}, "poly needs the key 'l'"},
      {{"no-such-file", "--at", "1"}, "there is no file no-such-file"},
      {{"/", "--at", "1"}, "/ is a folder"},
      {{"{function: [fix, k0: 1}", "--at", "1"}, "POLICY:1:"},
  };
  for (const auto& one : cases) {
    const Printed result = run(one.arguments);
    EXPECT_EQ(result.exit_code, 2) << one.message;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(one.message));
    EXPECT_THAT(result.err, StartsWith("lrtune schedule: "));
  }
}

// These said "there is no file ", "a key must be a text", and not what to do.
TEST(Schedule, ErrorsSayWhatToDo) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"", "--at", "0"}, "POLICY is empty; it is a file, or a text such as"},
      {{"{function: fix, k0: 1", "--at", "0"}, "; it has 1 '{' and 0 '}'\n"},
      {{"{function: step, k0: 1, gamma: 0.5, l: 3 epochs}", "--at", "0"},
       "write iterations (l), or say --epoch-samples and --batch\n"},
      {{"{function: poly, k0: 1, p: 1}", "--at", "0"}, "; with --at the policy itself says it\n"},
      {{"{function: poly, k0: 1, p: 1}"}, "; --iterations N says it\n"},
  };
  for (const auto& [arguments, words] : cases) {
    const Printed printed = run(arguments);
    EXPECT_EQ(printed.exit_code, 2);
    EXPECT_THAT(printed.err, HasSubstr(words));
  }
}

TEST(Schedule, BadOptionsAreRefused) {
  EXPECT_THAT(run({kSin2, "--at", "-1"}).err, HasSubstr("-1"));
  EXPECT_THAT(run({kSin2, "--iterations", "0"}).err, HasSubstr("--iterations"));
  EXPECT_THAT(run({kSin2, "--iterations", "5", "--at", "1"}).err, HasSubstr("excludes"));
  EXPECT_THAT(run({kSin2, "--iterations", "5", "--log"}).err, HasSubstr("--log requires --plot"));
}

TEST_F(ScheduleFiles, ReadsYamlAndJsonFiles) {
  const std::string yaml = write(
      "p.yaml", "# the best so far\nname: best\nfunction: sin2\nk0: 0.01\nk1: 0.06\nl: 2000\n");
  const std::string json = write("p.json", kSin2);
  EXPECT_EQ(run({yaml, "--at", "2000"}).out, "t,lr\n2000,0.06\n");
  EXPECT_EQ(run({json, "--at", "2000"}).out, "t,lr\n2000,0.06\n");
  const std::string bad = write("bad.yaml", "function: sin2\nk0: 0.01\nk1: -0.06\nl: 2000\n");
  EXPECT_THAT(run({bad, "--at", "1"}).err,
              HasSubstr("bad.yaml:3: k1 of sin2 must be at least 0, not -0.06 (k1)"));
}

TEST_F(ScheduleFiles, AnExperimentIsNoPolicy) {
  const std::string file = write("e.yaml", "name: a\ntrain: {}\nsearch: {}\n");
  EXPECT_THAT(run({file, "--at", "1"}).err,
              HasSubstr("e.yaml is an experiment; give one of its policies"));
}

TEST_F(ScheduleFiles, PlotsAndStaysQuietIfAsked) {
  const std::string plot = (folder_ / "p.svg").string();
  const Printed result = run({kSin2, "--iterations", "100000", "--plot", plot, "--quiet"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(read(plot), HasSubstr("SIN2 k0=0.01 k1=0.06 l=2000"));
  EXPECT_EQ(run({kSin2, "--at", "0,5", "--plot", plot}).out,
            "t,lr\n0,0.01\n5,0.0101963490361903\n");
}

// A chart of more iterations than fit into memory ended with bad_alloc.
TEST_F(ScheduleFiles, AChartOfAnyLengthIsSampled) {
  const std::string svg = folder_ / "long.svg";
  const Printed printed = run({R"({"function":"poly","k0":1,"p":1})", "--iterations",
                               "9000000000000000", "--plot", svg, "--quiet"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_GT(std::filesystem::file_size(svg), 1000U);
}

TEST_F(ScheduleFiles, APlotThatCannotBeWrittenIsAFailure) {
  const Printed result =
      run({kSin2, "--iterations", "10", "--plot", (folder_ / "none" / "p.svg").string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("cannot write the plot to"));
}

// docs/POLICIES.md: each command, run, draws the figure that stands there.
TEST_F(ScheduleFiles, TheFiguresOfTheGuideAreWhatTheirCommandsDraw) {
  static const std::regex kCommand(
      "lrtune schedule '([^']+)' --iterations ([0-9]+) --plot docs/img/([a-z0-9]+).svg --quiet");
  const std::filesystem::path docs = std::filesystem::path(LRTUNE_SOURCE_DIR) / "docs";
  const std::string guide = read(docs / "POLICIES.md");
  std::size_t figures = 0;
  for (std::sregex_iterator it(guide.begin(), guide.end(), kCommand), end; it != end; ++it) {
    const std::string name = (*it)[3].str() + ".svg";
    const Printed result =
        run({(*it)[1], "--iterations", (*it)[2], "--plot", (folder_ / name).string(), "--quiet"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(read(folder_ / name), read(docs / "img" / name)) << it->str();
    ++figures;
  }
  EXPECT_EQ(figures, all_lr_functions().size() + 1);
}

TEST(RateRows, ASinkThatRefusesEndsTheWriting) {
  const Policy policy = policy_from_json(nlohmann::json::parse(kSin2), {}).value();
  int taken = 0;
  EXPECT_FALSE(write_csv(policy, 100'000'000, [&taken](std::string_view) { return ++taken < 3; }));
  EXPECT_EQ(taken, 3);
}

}  // namespace
}  // namespace lrtune
