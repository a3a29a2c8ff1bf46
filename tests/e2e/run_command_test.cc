// The whole way of `lrtune run`: results, files, options, errors.
#include <signal.h>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/run_test_base.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST_F(RunTest, ARunEndsWithRankedTablesAndTheBestPolicy) {
  const ProcessResult result = run().wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  expect_usual_output(result.err);
  expect_whole_campaign();
  EXPECT_THAT(result.out, StartsWith("tiny: 4 policies ranked by top1 (best), evaluated on the "
                                     "validation part\nrank  trial  policy "));
  EXPECT_THAT(result.out, HasSubstr("Verified with new seeds"));
  EXPECT_THAT(result.out, HasSubstr(read("out/best.yaml")));
  EXPECT_THAT(result.out, testing::Not(HasSubstr("\x1b"))) << "colour without a terminal";
}

// The name that an experiment gives a policy was shown nowhere.
TEST_F(RunTest, PoliciesAreShownWithTheirNames) {
  std::string text = experiment();
  text.replace(text.find("{function: fix, k0: 0.1}"), 1, "{name: high, ");
  text.replace(text.find("{function: exp"), 1, "{name: high, ");
  write("experiment.yaml", text);
  const ProcessResult result = run().wait();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("  high: FIX k0=0.1  "));
  EXPECT_THAT(result.out, HasSubstr("  high: EXP k0=0.05 gamma=0.99  "));
  EXPECT_THAT(read("out/learning-rate.svg"), HasSubstr(": high: FIX k0=0.1<"));
  EXPECT_THAT(read("out/results.csv"), HasSubstr(",search,0,\"high\",\"{"));
  EXPECT_THAT(lrtune({"policies", "list"}).wait().out, HasSubstr("  high: FIX k0=0.1  "));
  EXPECT_THAT(lrtune({"policies", "show", "1"}).wait().out,
              StartsWith("# policy 1: high: FIX k0=0.1\n"));
  EXPECT_THAT(lrtune({"why", "1"}).wait().out, HasSubstr(": high: FIX k0=0.1 (done)"));
}

TEST_F(RunTest, OutputFilesAreThereAndWellFormed) {
  ASSERT_EQ(run().wait().exit_code, 0);
  for (const std::string plot : {"learning-rate", "accuracy", "loss"}) {
    std::istringstream svg(read("out/" + plot + ".svg"));
    boost::property_tree::ptree tree;
    ASSERT_NO_THROW(boost::property_tree::read_xml(svg, tree)) << plot;
    EXPECT_EQ(tree.front().first, "svg");
  }
  const auto ranking = nlohmann::json::parse(read("out/ranking.json"));
  EXPECT_EQ(ranking["policies"].size(), 4U);
  EXPECT_EQ(ranking["verified"].size(), 2U);
  const std::string csv = read("out/results.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 4 + 4);
  EXPECT_THAT(read("out/logs/coordinator.log"),
              HasSubstr("event=assigned campaign=1 trial=1 job=1 attempt=1"));
  EXPECT_THAT(read("out/logs/worker-1.log"), testing::Not(HasSubstr("error")));
}

TEST_F(RunTest, AReportIsWhatTheRunShowed) {
  const ProcessResult ran = run().wait();
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const std::string store = read("lrtune.db");
  const ProcessResult report =
      lrtune({"report", "tiny", "--output", "again", "--html", "page.html"}).wait();
  ASSERT_EQ(report.exit_code, 0) << report.err;
  EXPECT_THAT(report.out, StartsWith("Campaign 1: done, "));
  EXPECT_THAT(report.out, HasSubstr("8 trials have ended\n"));
  EXPECT_THAT(report.out, HasSubstr(ran.out)) << "tables, notes and the best policy";
  for (const std::string file : {"results.csv", "ranking.json", "best.yaml", "accuracy.svg"})
    EXPECT_EQ(read("again/" + file), read("out/" + file)) << file;
  auto document = nlohmann::json::parse(lrtune({"report", "1", "--json"}).wait().out);
  EXPECT_EQ(document, nlohmann::json::parse(read("out/ranking.json")));
  const std::string page = read("page.html");
  EXPECT_THAT(page, StartsWith("<!DOCTYPE html>"));
  for (const std::string part : {"<h1>tiny</h1>", "Verified with new seeds", "<svg", "</html>"})
    EXPECT_THAT(page, HasSubstr(part));
  EXPECT_EQ(read("lrtune.db"), store) << "nothing is written";
}

TEST_F(RunTest, AReportOfWhatIsNotThereIsRefused) {
  ASSERT_EQ(run().wait().exit_code, 0);
  const ProcessResult none = lrtune({"report", "other"}).wait();
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("has no campaign 'other'; a campaign is named by its number"));
  const ProcessResult no_store = lrtune({"report", "tiny", "--store", "none.db"}).wait();
  EXPECT_EQ(no_store.exit_code, 2);
  EXPECT_THAT(no_store.err, HasSubstr("there is no store none.db"));
  const ProcessResult no_folder = lrtune({"report", "tiny", "--html", "none/page.html"}).wait();
  EXPECT_EQ(no_folder.exit_code, 1);
  EXPECT_THAT(no_folder.err, HasSubstr("cannot write none/page.html"));
  EXPECT_THAT(no_folder.out, IsEmpty());
}

TEST_F(RunTest, TheParetoViewIsATableAndAChart) {
  ASSERT_EQ(run().wait().exit_code, 0);
  const ProcessResult top =
      lrtune({"policies", "top", "--pareto", "--plot", "pareto.svg", "--json"}).wait();
  ASSERT_EQ(top.exit_code, 0) << top.err;
  std::istringstream svg(read("pareto.svg"));
  boost::property_tree::ptree tree;
  ASSERT_NO_THROW(boost::property_tree::read_xml(svg, tree));
  const auto front = nlohmann::json::parse(top.out);
  ASSERT_GE(front.size(), 1U);
  for (const auto& policy : front) {
    EXPECT_THAT(read("pareto.svg"),
                HasSubstr(policy["id"].dump() + "  " + policy["description"].get<std::string>()));
  }
  const ProcessResult nowhere =
      lrtune({"policies", "top", "--pareto", "--plot", "no/such/folder.svg"}).wait();
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_EQ(nowhere.err,
            "lrtune policies: cannot write no/such/folder.svg: No such file or directory\n");
  EXPECT_THAT(nowhere.out, IsEmpty());
  const ProcessResult alone = lrtune({"policies", "top", "--plot", "a.svg"}).wait();
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_THAT(alone.err, HasSubstr("--plot requires --pareto"));
  const ProcessResult none =
      lrtune({"policies", "top", "--pareto", "--plot", "none.svg", "--dataset", "svhn"}).wait();
  EXPECT_EQ(none.exit_code, 0);
  EXPECT_THAT(none.err, HasSubstr("has no policies for dataset svhn"));
  EXPECT_THAT(read("none.svg"), IsEmpty());
}

// All folders of images were one data set, and lengths in epochs of them were refused.
TEST_F(RunTest, RecommendationsForAFolderGoByWhatIsInIt) {
  const auto with_folder = [](const std::string& folder, const std::string& length) {
    std::string text = experiment();
    text.replace(text.find("name: mnist"), 11, "name: imagefolder, path: " + folder);
    text.replace(text.find("iterations: 40"), 14, length);
    return text;
  };
  write("experiment.yaml", with_folder("one", "iterations: 40"));
  ASSERT_EQ(run().wait().exit_code, 0);
  write("longer.yaml", with_folder("one", "epochs: 1"));
  const ProcessResult same = lrtune({"recommend", "--experiment", "longer.yaml"}).wait();
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("540 iterations, by lrtune recommend"));
  EXPECT_THAT(same.out, HasSubstr("similarity 1.00 to lenet on imagefolder under sgd (the same "
                                  "data set); its time is multiplied by 13.5 "));
  for (int sign = 0; sign < 10; ++sign) {
    const std::string name = "two/train/" + std::to_string(sign);
    std::filesystem::create_directories(folder_.file(name));
    write(name + "/image.jpg", "");
    write(name + "/image.JPEG", "");
    write(name + "/note.txt", "");
  }
  write("two.yaml", with_folder("two", "iterations: 40"));
  const ProcessResult alike = lrtune({"recommend", "--experiment", "two.yaml"}).wait();
  EXPECT_EQ(alike.exit_code, 0) << alike.err;
  EXPECT_THAT(alike.out, HasSubstr("similarity 0.70 to lenet on imagefolder under sgd (? and ?, 3 "
                                   "and 3 channels, side 224 and 224, 10 and 10 classes, 60000 "
                                   "and 20 samples)"));
  std::filesystem::create_directories(folder_.file("three/train/only"));
  for (const char* image : {"a.jpg", "b.jpg", "c.jpg"})
    write(std::string("three/train/only/") + image, "");
  write("three.yaml", with_folder("three", "iterations: 40"));
  const ProcessResult other = lrtune({"recommend", "--experiment", "three.yaml"}).wait();
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("is like lenet on imagefolder under sgd"));
  write("unknown.yaml", with_folder("nowhere", "epochs: 1"));
  const ProcessResult unknown = lrtune({"recommend", "--experiment", "unknown.yaml"}).wait();
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("how many samples imagefolder has is not known here; give "
                                     "run.iterations, not run.epochs"));
}

TEST_F(RunTest, JsonIsOneDocument) {
  const ProcessResult result = run({"--workers", "1", "--json"}).wait();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = nlohmann::json::parse(result.out);
  EXPECT_EQ(document["campaign"]["state"], "done");
  EXPECT_EQ(document["open"], 0);
  EXPECT_EQ(document["policies"].size(), 4U);
  EXPECT_EQ(document["files"].size(), 6U);
  expect_usual_output(result.err);
}

TEST_F(RunTest, TheNumberOfWorkersChangesNoResult) {
  const auto accuracies = [&](const std::string& workers) {
    const ProcessResult result =
        run({"--workers", workers, "--json", "--store", workers + ".db"}).wait();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<nlohmann::json> found;
    const nlohmann::json document = nlohmann::json::parse(result.out);
    for (const auto& policy : document["policies"]) {
      found.push_back({policy["policy"], policy["top1"], policy["loss"], policy["final_top1"]});
    }
    return found;
  };
  EXPECT_EQ(accuracies("1"), accuracies("3"));
}

TEST_F(RunTest, AFinishedCampaignIsShownAgainWithoutWorkers) {
  const ProcessResult first = run().wait();
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto before = jobs();
  const ProcessResult again = run({"--worker-program", "/bin/false"}).wait();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(again.out, first.out);
  expect_usual_output(again.err, {"lrtune: tiny is done already; nothing is trained again"});
  EXPECT_EQ(jobs(), before);
}

TEST_F(RunTest, AnEditedFileIsAnotherCampaignThatReusesWhatIsKnown) {
  ASSERT_EQ(run().wait().exit_code, 0);
  const auto before = jobs();
  std::string edited = experiment();
  edited.replace(edited.find("k0: 0.01}"), 9, "k0: 0.02}");
  write("experiment.yaml", edited);
  const ProcessResult result = run({"--json"}).wait();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["campaign"]["id"], 2);
  expect_untouched(before);
  EXPECT_LT(jobs().size(), 2 * before.size()) << "equal jobs are shared";
}

TEST_F(RunTest, ADivergedTrialRanksLastAndTheSearchGoesOn) {
  std::string text = experiment();
  text.replace(text.find("k0: 0.1}"), 8, "k0: 50}");
  write("experiment.yaml", text);
  const ProcessResult result = run().wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("   4      1  FIX k0=50"));
  EXPECT_THAT(result.out, HasSubstr("diverged at 0"));
}

TEST_F(RunTest, WithoutAnyPolicyThatEndsWellTheRunFails) {
  std::string text = experiment();
  text.erase(text.find("    - {function: fix, k0: 0.01}"));
  text.replace(text.find("k0: 0.1}"), 8, "k0: 50}");
  write("experiment.yaml", text);
  const ProcessResult result = run().wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("lrtune: no policy ended well"));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("out/best.yaml")));
}

TEST_F(RunTest, ABadFileIsAnErrorWithItsPlaceAndLeavesNothingBehind) {
  std::string text = experiment();
  text.replace(text.find("batch: 100"), 10, "bacth: 100");
  write("experiment.yaml", text);
  const ProcessResult result = run().wait();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, StartsWith("lrtune: experiment.yaml:6: "));
  EXPECT_THAT(result.err, HasSubstr("batch"));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("lrtune.db")));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("out")));
}

TEST_F(RunTest, AMissingFileAndABadOptionAreUsageErrors) {
  EXPECT_EQ(lrtune({"run", "nothing.yaml"}).wait().exit_code, 2);
  EXPECT_EQ(run({"--workers", "0"}).wait().exit_code, 2);
  EXPECT_EQ(run({"--device", "tpu"}).wait().exit_code, 2);
  EXPECT_EQ(lrtune({"run"}).wait().exit_code, 2);
}

TEST_F(RunTest, AWorkerThatCannotStartEndsTheRunWithItsLastWords) {
  write("worker.sh", "#!/bin/sh\necho there is no such library >&2\nexit 4\n");
  std::filesystem::permissions(folder_.file("worker.sh"), std::filesystem::perms::owner_all);
  const ProcessResult result =
      run({"--workers", "1", "--worker-program", folder_.file("worker.sh")}).wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("worker-1 exited with code 4 before it could join, 3 times in "
                                    "a row. out/logs/worker-1.log ends with:\n"
                                    "  there is no such library"));
}

TEST_F(RunTest, AFolderOfCheckpointsThatCannotBeMadeIsOneError) {
  write("taken", "a file\n");
  const ProcessResult result = run({"--checkpoints", "taken"}).wait(20);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "lrtune: checkpoints cannot be kept in taken: Not a directory; --checkpoints names "
            "another folder, --no-checkpoints keeps none\n");
}

TEST_F(RunTest, AStoreThatIsInUseIsRefused) {
  Process first = run({"--workers", "1"}, 20'000);
  first.until("the first run has begun", [&] { return !jobs().empty(); });
  const ProcessResult second = run({"--workers", "1"}).wait();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("lrtune.db"));
}

// Two runs with stores of their own wrote one folder at once.
TEST_F(RunTest, AnOutputFolderThatIsInUseIsRefused) {
  Process first = run({"--workers", "1"}, 20'000);
  first.until("the first run has begun", [&] { return !jobs().empty(); });
  const ProcessResult second = run({"--workers", "1", "--store", "other.db"}).wait();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("lrtune: the folder out is in use by lrtune process " +
                                    std::to_string(first.id())));
}

// The second run of a file threw the logs of the first away.
TEST_F(RunTest, LogsOfAnEarlierRunAreKept) {
  ASSERT_EQ(run({"--workers", "1"}).wait().exit_code, 0);
  for (const char* log : {"out/logs/coordinator.log", "out/logs/worker-1.log"}) {
    const std::string before = read(log);
    ASSERT_THAT(before, testing::Not(IsEmpty()));
    ASSERT_THAT(before, testing::Not(HasSubstr("a new run")));
  }
  const std::string coordinator = read("out/logs/coordinator.log");
  const std::string worker = read("out/logs/worker-1.log");
  ASSERT_EQ(run({"--workers", "1", "--store", "other.db"}).wait().exit_code, 0);
  EXPECT_THAT(read("out/logs/coordinator.log"), StartsWith(coordinator + "======== "));
  EXPECT_THAT(read("out/logs/worker-1.log"), StartsWith(worker + "======== "));
}

// Bug: the name stood in the pattern of the worker's log as it was.
TEST_F(RunTest, AWorkersNameIsOneFieldOfItsLog) {
  const auto program = std::filesystem::path(LRTUNE_PROGRAM).parent_path() / "lrtune-worker";
  Process worker(program,
                 {"--connect", "tcp://127.0.0.1:1", "--give-up", "1", "--trainer", "synthetic",
                  "--name", "a%v \"b\" event=forged"},
                 folder_.path());
  const ProcessResult result = worker.wait(30);
  std::istringstream lines(result.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_THAT(line, testing::MatchesRegex("time=[-0-9T:.+]+ level=[a-z]+ .*"));
    EXPECT_THAT(line, HasSubstr(R"( worker="a%v \"b\" event=forged" event=)"));
  }
  EXPECT_GE(count, 2) << result.err;
  Process forged(program, {"--connect", "tcp://127.0.0.1:1", "--name", "b\nevent=forged"},
                 folder_.path());
  const ProcessResult refused = forged.wait(30);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--name must be a name of 1 to 200 bytes of UTF-8"));
}

// The workers held the coordinator's log open.
TEST_F(RunTest, WorkersInheritNoFile) {
  Process process = run({"--workers", "1"}, 20'000);
  process.until("a trial runs", [&] { return !jobs().empty(); });
  ASSERT_THAT(process.children(), testing::SizeIs(1));
  const std::string files = "/proc/" + std::to_string(process.children().front()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(files)) {
    std::error_code gone;
    EXPECT_NE(std::filesystem::read_symlink(entry, gone).filename(), "coordinator.log");
  }
}

// A terminal that goes away takes the progress display with it, not the exit code.
TEST_F(RunTest, AStopIsCleanWithoutSomebodyWhoReads) {
  write("experiment.yaml", experiment());
  write("run.sh", std::string("exec '") + LRTUNE_PROGRAM +
                      "' run experiment.yaml --workers 1 --output out --worker-argument=--trainer"
                      " --worker-argument=synthetic:iteration_us=20000 2>/dev/full\n");
  Process process("/bin/sh", {"run.sh"}, folder_.path());
  process.until("a trial runs", [&] { return !jobs().empty(); });
  process.signal(SIGHUP);
  EXPECT_EQ(process.wait(20).exit_code, 75);
}

TEST_F(RunTest, APipeGetsLinesWithoutEscapes) {
  const ProcessResult result = run({"--workers", "1"}, 100).wait();
  EXPECT_THAT(result.err, testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(result.err, testing::Not(HasSubstr("\r")));
}

// script(1) of Debian's bsdutils gives the program a terminal.
class TerminalRunTest : public RunTest {
 protected:
  ProcessResult run_on_terminal(const std::map<std::string, std::string>& environment) const {
    write("experiment.yaml", experiment());
    const std::string command = std::string("'") + LRTUNE_PROGRAM +
                                "' run experiment.yaml --workers 1 --worker-argument=--trainer"
                                " --worker-argument=synthetic:iteration_us=2000";
    return Process("/usr/bin/script", {"-qec", command, "/dev/null"}, folder_.path(), environment)
        .wait();
  }
};

TEST_F(TerminalRunTest, ATerminalGetsABlockThatIsDrawnInPlace) {
  const ProcessResult result = run_on_terminal({{"TERM", "xterm"}, {"NO_COLOR", ""}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("\x1b[1mtiny: searching, "));
  EXPECT_THAT(result.out, testing::ContainsRegex("\x1b\\[[45]A")) << "the cursor goes up over it";
  EXPECT_THAT(result.out, HasSubstr("  worker-1  trial 1 "));
  EXPECT_THAT(result.out, testing::Not(HasSubstr("\x1b[?25l"))) << "the cursor stays visible";
}

TEST_F(TerminalRunTest, NoColorTakesTheColourAndNothingElse) {
  const ProcessResult result = run_on_terminal({{"TERM", "xterm"}, {"NO_COLOR", "1"}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("tiny: searching, "));
  EXPECT_THAT(result.out, testing::Not(testing::ContainsRegex("\x1b\\[[0-9]*m")));
}

}  // namespace
}  // namespace lrtune
