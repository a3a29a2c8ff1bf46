// A short run of tests/chaos; its README has the long ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

TEST(ChaosTest, ThirtyKillsLoseNothingAndFinishNothingTwice) {
  const TemporaryFolder folder;
  const std::string programs = std::filesystem::path(LRTUNE_PROGRAM).parent_path().string();
  Process chaos("/usr/bin/python3",
                {LRTUNE_SOURCE_DIR "/tests/chaos/chaos.py", "--programs", programs, "--kills", "30",
                 "--seed", "1"},
                folder.path(), {{"PYTHONDONTWRITEBYTECODE", "1"}});
  const ProcessResult result = chaos.wait(500);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, testing::ContainsRegex("seed 1: 3[0-9] kills .*, lost 0, double 0, "));
}

}  // namespace
}  // namespace lrtune
