#include "tests/rules/text_rules.h"

#include <gmock/gmock.h>

namespace lrtune::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Read once for all tests below.
const SourceTree& repository() {
  static const SourceTree tree = read_source_tree(LRTUNE_SOURCE_DIR);
  return tree;
}

void expect_none(const std::vector<std::string>& findings) {
  // A wrong folder would make every rule pass.
  ASSERT_TRUE(repository().contains("tests/rules/text_rules_test.cc"));
  for (const std::string& finding : findings) ADD_FAILURE() << finding;
}

TEST(TextRules, NoTestSleeps) { expect_none(check_no_sleep_in_tests(repository())); }
TEST(TextRules, NothingIsMarkedUnfinished) { expect_none(check_nothing_unfinished(repository())); }
TEST(TextRules, NoPathOfOneMachine) { expect_none(check_no_machine_paths(repository())); }
TEST(TextRules, NoFileIsTooLong) { expect_none(check_file_length(repository())); }
TEST(TextRules, FilesAreNamedAfterTheirField) { expect_none(check_names(repository())); }
TEST(TextRules, HeadersAreGuarded) { expect_none(check_headers_are_guarded(repository())); }
TEST(TextRules, DocumentedCommandsAreThere) {
  expect_none(check_documented_commands(repository()));
}

// The forbidden words are put together here, so that this file does not break the rules it tests.
const std::string kSleep = "sle" + std::string("ep");

TEST(TextRules, ASleepInATestIsFound) {
  for (const std::string& call :
       {"std::this_thread::" + kSleep + "_for(1s);", "u" + kSleep + "(10);", kSleep + " 1",
        kSleep + "(1);", "time." + kSleep + "(2)"}) {
    EXPECT_THAT(check_no_sleep_in_tests({{"tests/e2e/a.cc", "\n" + call + "\n"}}),
                ElementsAre(HasSubstr("tests/e2e/a.cc:2: ")))
        << call;
  }
  EXPECT_THAT(check_no_sleep_in_tests({{"worker/training/synthetic_trainer.cc", kSleep + "(1);"}}),
              IsEmpty());
}

TEST(TextRules, AMarkOfUnfinishedWorkIsFound) {
  for (const std::string& mark :
       {"// TO" + std::string("DO: later"), "# FIX" + std::string("ME"),
        "GTEST_" + std::string("SKIP();"), "TEST(A, DISA" + std::string("BLED_B) {")}) {
    EXPECT_THAT(check_nothing_unfinished({{"common/a.cc", mark}}), SizeIs(1)) << mark;
  }
  EXPECT_THAT(check_nothing_unfinished({{"common/a.cc", "auto todos = 1;  // the shackle"}}),
              IsEmpty());
}

TEST(TextRules, APathOfOneMachineIsFound) {
  for (const std::string& folder :
       {"wo" + std::string("rk"), "ho" + std::string("me"), "ro" + std::string("ot")}) {
    EXPECT_THAT(check_no_machine_paths({{"a.md", "see `/" + folder + "/x/y`"}}), SizeIs(1))
        << folder;
    EXPECT_THAT(check_no_machine_paths({{"a.sh", "cd /" + folder + "\n"}}), SizeIs(1)) << folder;
    EXPECT_THAT(check_no_machine_paths({{"a.sh", "cd \"$repo/" + folder + "/x\""}}), IsEmpty())
        << folder;
    EXPECT_THAT(check_no_machine_paths({{"a.md", "a frame" + std::string("/") + folder}}),
                IsEmpty())
        << folder;
  }
}

TEST(TextRules, ALongFileIsFound) {
  const std::string lines(kLongestFile, '\n');
  EXPECT_THAT(check_file_length({{"common/a.cc", lines}}), IsEmpty());
  EXPECT_THAT(check_file_length({{"common/a.cc", lines + "\n"}}), SizeIs(1));
  EXPECT_THAT(check_file_length({{"tests/fixtures/a.jsonl", lines + "\n"}}), IsEmpty());
}

TEST(TextRules, ADrawerIsFound) {
  EXPECT_THAT(check_names({{"common/string_utils.h", ""}}), SizeIs(1));
  EXPECT_THAT(check_names({{"common/helpers/a.h", ""}}), SizeIs(1));
  EXPECT_THAT(check_names({{"common/Hash.h", ""}}), SizeIs(1));
  EXPECT_THAT(check_names({{"common/hash.h", ""}, {"coordinator/cli/commands.cc.in", ""}}),
              IsEmpty());
}

TEST(TextRules, AnUnguardedHeaderIsFound) {
  EXPECT_THAT(check_headers_are_guarded({{"common/a.h", "// #pragma once\nint a;\n"}}), SizeIs(1));
  EXPECT_THAT(check_headers_are_guarded({{"common/a.h", "// why\n#pragma once\n"}}), IsEmpty());
}

TEST(TextRules, ACommandThatIsNotThereIsFound) {
  const SourceTree scripts = {{"deploy/quickstart.sh", ""}, {"deploy/test.sh", ""}};
  SourceTree tree = scripts;
  EXPECT_THAT(check_documented_commands(tree), SizeIs(2));  // no README
  tree["README.md"] = "```\ndeploy/quickstart.sh\ndeploy/test.sh\n```\n";
  EXPECT_THAT(check_documented_commands(tree), IsEmpty());
  tree["docs/a.md"] = "run `deploy/gone.sh`\n";
  EXPECT_THAT(check_documented_commands(tree), ElementsAre(HasSubstr("deploy/gone.sh")));
  tree = scripts;
  tree["README.md"] = "deploy/quickstart.sh\nbut not the other, deploy/test.sh, as a command\n";
  EXPECT_THAT(check_documented_commands(tree), ElementsAre(HasSubstr("deploy/test.sh")));
}

}  // namespace
}  // namespace lrtune::rules
