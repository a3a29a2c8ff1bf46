// `lrtune coordinator` with keys, workers and clients as real processes: a folder with the keys,
// the store, and a log for each.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/run_test_base.h"

namespace lrtune {

class CoordinatorTest : public RunTest {
 protected:
  static constexpr int kPatience = 120;  // seconds, for slow machines

  CoordinatorTest();  // makes the keys

  // Started, and listening; a worker that is slow to return is not lost. Its log goes on in
  // coordinator.log.
  Process coordinator() const;
  // Its log goes on in NAME.log; each iteration of its trainer takes `iteration_us`. A worker of
  // that name has its own key.
  Process worker(const std::string& name, int iteration_us = 0) const;
  // Ends it as a person would, and gives its exit code.
  static int stop(Process& process);
  static void until(Process& process, const std::string& what,
                    const std::function<bool()>& condition) {
    process.until(what, condition, kPatience);
  }

  // A client's command line, with the coordinator and the keys.
  Process client(std::vector<std::string> arguments) const;
  // The document that it prints; a test failure if there is none.
  nlohmann::json ask(std::vector<std::string> arguments) const;
  // Submits an experiment NAME.yaml of one list of policies; gives the campaign's number.
  std::int64_t submit(const std::string& name, const std::string& search, int iterations = 40,
                      const std::vector<std::string>& more = {}) const;
  std::string state_of(const std::string& campaign) const;

  std::int64_t running_jobs() const;
  // Numbers and texts of one column.
  std::vector<std::string> column(const std::string& sql) const;
  std::int64_t number(const std::string& sql) const;
  // The log's lines with `text`.
  std::int64_t lines_with(const std::string& log, const std::string& text) const;

  std::string endpoint_;
};

}  // namespace lrtune
