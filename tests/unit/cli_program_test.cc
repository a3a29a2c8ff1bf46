// The program itself: exit codes, which stream says what, how it helps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct Finished {
  int exit_code = 0;
  std::string out;
  std::string err;
};

class Program : public testing::Test {
 protected:
  // `arguments` in the shell's words; runs in the test's own folder.
  Finished run(const std::string& arguments) const {
    const std::string command =
        "cd '" + folder_.path().string() + "' && '" LRTUNE_PROGRAM "' " + arguments +
        (arguments.find('>') == std::string::npos ? " >out" : "") + " 2>err </dev/null";
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), text_of("out"), text_of("err")};
  }

  void make_store(const std::string& name) const {
    const auto store = SqliteStore::open(folder_.file(name));
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->commit(sample_records()));
  }

  std::string file(const std::string& name) const { return folder_.file(name); }

 private:
  std::string text_of(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_.file(name)).rdbuf();
    return text.str();
  }
  TemporaryFolder folder_{memory_folder()};
};

TEST_F(Program, SaysItsVersion) {
  const Finished run = this->run("--version");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, "lrtune " LRTUNE_VERSION "\n");
  EXPECT_THAT(run.err, IsEmpty());
}

TEST_F(Program, EveryCommandHasHelp) {
  const Finished root = run("--help");
  EXPECT_EQ(root.exit_code, 0);
  EXPECT_THAT(root.out,
              HasSubstr("Exit codes: 0 done, 1 failure, 2 bad usage or input, 75 stopped"));
  for (const char* command :
       {"run", "schedule", "policies", "policies list", "policies top", "policies show", "why"}) {
    const Finished help = run(std::string(command) + " --help");
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Usage: ")) << command;
    EXPECT_THAT(help.err, IsEmpty()) << command;
  }
}

TEST_F(Program, BadUsageIsTwoAndHelps) {
  EXPECT_THAT(run("").err, HasSubstr("Usage: lrtune"));
  EXPECT_EQ(run("").exit_code, 2);
  const std::pair<const char*, const char*> cases[] = {
      {"polices list",
       "lrtune: lrtune has no command 'polices'; did you mean 'policies'?\nTry 'lrtune --help'.\n"},
      {"policies tap",
       "lrtune: lrtune policies has no command 'tap'; did you mean 'top'?\nTry 'lrtune policies "
       "--help'.\n"},
      {"policies top --lmit 3",
       "lrtune: lrtune policies top takes no '--lmit'; did you mean '--limit'?\nTry 'lrtune "
       "policies top --help'.\n"},
      {"policies show 0",
       "lrtune: ID: must be a whole number from 1, not '0'\nTry 'lrtune policies show --help'.\n"},
      {"policies top --by speed",
       "lrtune: --by: speed not in {cost,loss,robustness,seconds,top1}\nTry 'lrtune policies top "
       "--help'.\n"},
      {"frobnicate", "lrtune: lrtune has no command 'frobnicate'\nTry 'lrtune --help'.\n"},
  };
  for (const auto& [arguments, words] : cases) {
    const Finished run = this->run(arguments);
    EXPECT_EQ(run.exit_code, 2) << arguments;
    EXPECT_EQ(run.err, words);
    EXPECT_THAT(run.out, IsEmpty());
  }
  for (const char* arguments :
       {"policies", "policies show", "policies show x", "policies show 0", "why", "why -- -3",
        "policies top --by speed", "policies list --limit -1"}) {
    const Finished run = this->run(arguments);
    EXPECT_EQ(run.exit_code, 2) << arguments;
    EXPECT_THAT(run.err, StartsWith("lrtune: ")) << arguments;
    EXPECT_THAT(run.out, IsEmpty()) << arguments;
  }
}

// NaN is neither below nor above, and made a lease that was over at once.
TEST_F(Program, NanIsNoNumber) {
  for (const char* arguments : {"coordinator --lease nan", "status --patience nan"}) {
    const Finished run = this->run(arguments);
    EXPECT_EQ(run.exit_code, 2) << arguments;
    EXPECT_THAT(run.err, HasSubstr("must be a number from")) << arguments;
  }
}

TEST_F(Program, MissingStoreIsOneSentence) {
  const Finished list = run("policies list");
  EXPECT_EQ(list.exit_code, 2);
  EXPECT_EQ(list.err,
            "lrtune policies: there is no store lrtune.db; `lrtune run` makes one, --store names "
            "another\n");
  EXPECT_EQ(
      run("why 1 --store none.db").err,
      "lrtune why: there is no store none.db; `lrtune run` makes one, --store names another\n");
}

// A store that cannot be one was an internal error, or "disk I/O error", with 1 here and 2 there.
TEST_F(Program, WhatCannotBeAStoreIsBadInput) {
  ASSERT_EQ(std::system(("mkdir '" + file("folder") + "'").c_str()), 0);
  std::ofstream(file("e.yaml")) << "name: a\ntrain: {dataset: {name: mnist}, model: lenet, "
                                   "optimizer: {name: sgd}, batch: 1}\n"
                                   "run: {iterations: 1}\n"
                                   "search: {method: list, policies: [{function: fix, k0: 1}]}\n";
  const std::pair<const char*, const char*> cases[] = {
      {"''", "a store needs a file name, such as --store lrtune.db\n"},
      {"folder", "folder is a folder; a store is a file, such as --store folder/lrtune.db\n"},
      {"/dev/null", "/dev/null is no regular file; a store is one, such as --store lrtune.db\n"},
      {"e.yaml", "e.yaml is no lrtune store (not an SQLite database)\n"},
  };
  for (const auto& [store, words] : cases) {
    for (const std::string command : {"run e.yaml", "policies list", "why 1"}) {
      const Finished run = this->run(command + " --store " + store);
      EXPECT_EQ(run.exit_code, 2) << command << store;
      EXPECT_THAT(run.err, testing::EndsWith(words));
      EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    }
  }
}

// Words that nobody can read threw: 134 in the place of the command's own exit code.
TEST_F(Program, ADeadStandardErrorChangesNoExitCode) {
  const std::string program = "'" LRTUNE_PROGRAM "'";
  for (const char* arguments : {" policies list", " schedule none", " frobnicate", " run none"}) {
    const int status = std::system((program + arguments + " 2>/dev/full").c_str());
    EXPECT_EQ(WEXITSTATUS(status), 2) << arguments;
  }
}

TEST_F(Program, DataGoToStandardOutput) {
  make_store("lrtune.db");
  const Finished top = run("policies top --by cost --limit 2");
  EXPECT_EQ(top.exit_code, 0);
  EXPECT_THAT(top.err, IsEmpty());
  EXPECT_EQ("\n" + top.out, R"(
lenet on mnist, momentum, 2000 iterations
rank  id  policy                      runs            top-1    loss  to target  seconds  loss diff
   1   5  COS k0=0.01 k1=0.06 l=500      3  0.9834 ± 0.0002  0.0456       1000     62.0    -0.0290
   2   4  SIN2 k0=0.01 k1=0.06 l=500     3  0.9829 ± 0.0004  0.0491       1500     62.0    -0.0320
)");
  const auto json = nlohmann::json::parse(run("policies list --json --dataset mnist").out);
  EXPECT_EQ(json.size(), 8U);
  EXPECT_EQ(run("policies list --json --dataset svhn").out, "[]\n");
  const Finished none = run("policies list --dataset svhn --model lenet");
  EXPECT_THAT(none.out, IsEmpty());
  EXPECT_EQ(none.err,
            "lrtune policies: the store lrtune.db has no policies for dataset svhn, model lenet\n");
  const Finished missing = run("policies show 99");
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_EQ(missing.err, "lrtune policies: the store lrtune.db has no policy 99; it has 1 to 8\n");
}

TEST_F(Program, StoreMayBeAnywhere) {
  make_store("a b.db");
  EXPECT_EQ(run("policies list --store 'a b.db'").exit_code, 0);
  EXPECT_EQ(run("why 4 --store 'a b.db' --json").exit_code, 0);
}

// The page of a policy is a policy: what stands around it is comment.
TEST_F(Program, ShownPolicyCanBeScheduled) {
  make_store("lrtune.db");
  ASSERT_EQ(run("policies show 6 > policy.yaml").exit_code, 0);
  const Finished schedule = run("schedule policy.yaml --at 0,500,1500");
  EXPECT_EQ(schedule.exit_code, 0) << schedule.err;
  EXPECT_EQ(schedule.out, "t,lr\n0,0.01\n500,0.06\n1500,0.001\n");
}

// Bug: a file without an end was read until memory was full, and a policy too long for a frame was
// taken and starved its queue.
TEST_F(Program, WhatIsTooLargeIsBadInput) {
  const std::string head =
      "name: a\ntrain: {dataset: {name: mnist}, model: lenet, optimizer: {name: sgd}, batch: 1}\n"
      "run: {iterations: 1}\nsearch:\n";
  std::string boundaries;
  for (int i = 1; i <= 2001; ++i) boundaries += std::to_string(i) + ", ";
  const std::string steps = "{function: nstep, k0: 1, gamma: 0.5, l: [" + boundaries + "]}";
  std::ofstream(file("steps.yaml")) << steps;
  std::ofstream(file("long.yaml")) << head + "  method: list\n  policies: [" + steps + "]\n";
  std::ofstream(file("many.yaml"))
      << head + "  method: random\n  count: 2000000\n  policies: [{function: fix, k0: 1}]\n";
  std::ofstream(file("deep.yaml")) << std::string(17, '[') + std::string(17, ']');
  std::ofstream(file("large.yaml"))
      << head + "  method: list\n  policies:\n" + std::string(70'000, '#');
  const std::string too_long =
      ": l of nstep has 2001 iterations; at most 2000 are allowed (search.policies[0].l)\n";
  const std::pair<const char*, std::string> cases[] = {
      {"run long.yaml", "lrtune: long.yaml:6" + too_long},
      {"submit long.yaml", "lrtune submit: long.yaml:6" + too_long},
      {"schedule steps.yaml --at 0",
       "lrtune schedule: steps.yaml:1: l of nstep has 2001 iterations; at most 2000 are allowed "
       "(l)\n"},
      {"run many.yaml",
       "lrtune: many.yaml:6: count of search must be a whole number from 1 to 1000000, not "
       "2000000 (search.count)\n"},
      {"run deep.yaml", "lrtune: deep.yaml:1: maps and lists are nested deeper than 16\n"},
      {"extend 1 --policies deep.yaml",
       "lrtune extend: deep.yaml:1: maps and lists are nested deeper than 16\n"},
      {"submit large.yaml",
       "lrtune submit: large.yaml has 70144 bytes; an experiment that is submitted has at most "
       "60000\n"},
      {"extend 1 --policies large.yaml",
       "lrtune extend: large.yaml has 70144 bytes; policies that are added have at most 60000 at a "
       "time\n"},
      {"run /dev/zero",
       "lrtune: /dev/zero has more than 1048576 bytes; an experiment has at most so many\n"},
  };
  for (const auto& [arguments, words] : cases) {
    const Finished run = this->run(arguments);
    EXPECT_EQ(run.exit_code, 2) << arguments;
    EXPECT_EQ(run.err, words);
  }
}

TEST_F(Program, FullStandardOutputIsAFailure) {
  make_store("lrtune.db");
  const Finished run = this->run("policies list > /dev/full");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.err, "lrtune: cannot write to standard output: No space left on device\n");
}

}  // namespace
}  // namespace lrtune
