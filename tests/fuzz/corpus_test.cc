// The corpus as a regression test of every build: seeds, one input for each part of the code that
// fuzzing reached, and each input that once broke something.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/fuzz/target.h"

namespace lrtune::fuzz {

// CTest names the cases after it.
void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

namespace {

const std::filesystem::path kCorpus = LRTUNE_FIXTURES "/fuzz";

std::vector<std::uint8_t> bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

class Corpus : public ::testing::TestWithParam<Target> {};

TEST_P(Corpus, HoldsEveryProperty) {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus / GetParam().name)) {
    ++inputs;
    EXPECT_NO_THROW(GetParam().run(bytes_of(entry.path()))) << entry.path();
  }
  EXPECT_GE(inputs, 5);
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& shown) { return std::string(shown.param.name); });

TEST(CorpusFolders, AreThoseOfTargets) {
  std::set<std::string> names;
  for (const Target& target : targets()) names.emplace(target.name);
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus))
    EXPECT_TRUE(names.contains(entry.path().filename())) << entry.path();
}

}  // namespace
}  // namespace lrtune::fuzz
