#include "tests/support/experiment_text.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace lrtune::test {

std::string file_text(const std::string& path) {
  const std::string full = std::string(LRTUNE_SOURCE_DIR) + "/" + path;
  std::ifstream input(full);
  EXPECT_TRUE(input.good()) << full;
  std::ostringstream text;
  text << input.rdbuf();
  return text.str();
}

std::string base_experiment() { return file_text("tests/fixtures/experiments/base.yaml"); }

std::string replaced(std::string text, const std::string& part, const std::string& with) {
  const std::size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return at == std::string::npos ? text : text.replace(at, part.size(), with);
}

std::vector<BadExperiment> bad_experiments() {
  std::istringstream lines(file_text("tests/fixtures/experiments/bad.jsonl"));
  std::vector<BadExperiment> all;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    all.push_back({json.at("part"), json.at("with"), json.at("error"), json.at("schema")});
  }
  return all;
}

}  // namespace lrtune::test
