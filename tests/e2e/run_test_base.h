// `lrtune run` with real processes: a folder with an experiment, the program, its store and its
// output.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {

// A job as the store has it.
struct StoredJob {
  std::string state;
  std::int64_t attempt = 0;
  std::int64_t deaths = 0;
  std::int64_t points = 0;  // of all its attempts
  bool operator==(const StoredJob&) const = default;
};

class RunTest : public testing::Test {
 protected:
  // Four policies, the two best of them verified with two seeds each: 8 trials of 40 iterations in
  // all.
  static std::string experiment();

  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;

  // `lrtune run experiment.yaml` with synthetic workers of which each iteration takes
  // `iteration_us`.
  Process run(std::vector<std::string> more = {"--workers", "2"}, int iteration_us = 0) const;
  // Any command line of lrtune.
  Process lrtune(const std::vector<std::string>& arguments,
                 const std::map<std::string, std::string>& environment = {}) const;

  // Read from lrtune.db while it is written; nothing yet: empty.
  std::map<std::int64_t, StoredJob> jobs() const;
  std::int64_t ended_jobs() const;
  std::string campaign_state() const;
  std::int64_t count_decisions(const std::string& code) const;

  // Fails for each line of standard error that no run of the experiment prints in the normal course
  // of things and that has none of the `expected` texts in it.
  static void expect_usual_output(const std::string& err,
                                  const std::vector<std::string>& expected = {});

  // What was done in `before` is as it was: neither run again nor changed.
  void expect_untouched(const std::map<std::int64_t, StoredJob>& before) const;

  // All trials are done, and every finished job was finished once.
  void expect_whole_campaign() const;

  TemporaryFolder folder_;
};

}  // namespace lrtune
