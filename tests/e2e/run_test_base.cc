#include "tests/e2e/run_test_base.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <fstream>
#include <regex>
#include <sstream>

namespace lrtune {
namespace {

// Waits for a moment when the writer holds the file, and takes a store that is being made for an
// empty one.
template <typename Row>
void query(const std::string& path, const std::string& sql, const Row& row) try {
  SQLite::Database database(path, SQLite::OPEN_READONLY, 5000);
  SQLite::Statement statement(database, sql);
  while (statement.executeStep()) row(statement);
} catch (const SQLite::Exception&) {
}

}  // namespace

std::string RunTest::experiment() {
  return R"(name: tiny
train:
  dataset: {name: mnist}
  model: lenet
  optimizer: {name: sgd}
  batch: 100
run: {iterations: 40, evaluate: {every: 10}}
seed: 7
search:
  method: list
  policies:
    - {function: fix, k0: 0.1}
    - {function: fix, k0: 0.01}
    - {function: sin2, k0: 0.01, k1: 0.06, l: 10}
    - {function: exp, k0: 0.05, gamma: 0.99}
verify: {top: 2, repeats: 2}
)";
}

void RunTest::write(const std::string& name, const std::string& text) const {
  std::ofstream(folder_.file(name)) << text;
}

std::string RunTest::read(const std::string& name) const {
  std::ostringstream text;
  text << std::ifstream(folder_.file(name)).rdbuf();
  return text.str();
}

Process RunTest::run(std::vector<std::string> more, int iteration_us) const {
  if (!std::filesystem::exists(folder_.file("experiment.yaml"))) {
    write("experiment.yaml", experiment());
  }
  std::vector<std::string> arguments{
      "run",
      "experiment.yaml",
      "--output",
      "out",
      "--worker-argument=--trainer",
      "--worker-argument=synthetic:iteration_us=" + std::to_string(iteration_us)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return lrtune(arguments);
}

Process RunTest::lrtune(const std::vector<std::string>& arguments,
                        const std::map<std::string, std::string>& environment) const {
  return Process(LRTUNE_PROGRAM, arguments, folder_.path(), environment);
}

std::map<std::int64_t, StoredJob> RunTest::jobs() const {
  std::map<std::int64_t, StoredJob> jobs;
  query(folder_.file("lrtune.db"),
        "SELECT id, state, attempt, deaths, (SELECT count(*) FROM point WHERE job = id) FROM job",
        [&](SQLite::Statement& row) {
          jobs[row.getColumn(0).getInt64()] = {
              row.getColumn(1).getString(), row.getColumn(2).getInt64(),
              row.getColumn(3).getInt64(), row.getColumn(4).getInt64()};
        });
  return jobs;
}

std::int64_t RunTest::ended_jobs() const {
  std::int64_t ended = 0;
  query(folder_.file("lrtune.db"), "SELECT count(*) FROM job WHERE outcome IS NOT NULL",
        [&](SQLite::Statement& row) { ended = row.getColumn(0).getInt64(); });
  return ended;
}

std::string RunTest::campaign_state() const {
  std::string state;
  query(folder_.file("lrtune.db"), "SELECT state FROM campaign",
        [&](SQLite::Statement& row) { state = row.getColumn(0).getString(); });
  return state;
}

std::int64_t RunTest::count_decisions(const std::string& code) const {
  std::int64_t count = 0;
  query(folder_.file("lrtune.db"), "SELECT count(*) FROM decision WHERE code = '" + code + "'",
        [&](SQLite::Statement& row) { count = row.getColumn(0).getInt64(); });
  return count;
}

void RunTest::expect_usual_output(const std::string& err,
                                  const std::vector<std::string>& expected) {
  static const std::regex usual(
      "lrtune: tiny with \\d+ local workers? \\(cpu, 1 thread each\\)"
      "|lrtune: results, plots and logs are in out"
      "|tiny: (surveying|searching|verifying|done)"
      "|tiny: waiting: no worker is connected"  // they start slowly on a busy machine
      "|tiny: \\d+/\\d+ trials.*, \\d+ % of the iterations, .*, \\d+:\\d\\d elapsed.*");
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);) {
    const bool known = std::regex_match(line, usual) ||
                       std::any_of(expected.begin(), expected.end(), [&](const std::string& text) {
                         return line.find(text) != std::string::npos;
                       });
    EXPECT_TRUE(known) << "unexpected on standard error: " << line;
  }
}

void RunTest::expect_untouched(const std::map<std::int64_t, StoredJob>& before) const {
  const auto after = jobs();
  for (const auto& [id, job] : before) {
    if (job.state != "done") continue;
    ASSERT_TRUE(after.contains(id));
    EXPECT_EQ(after.at(id), job) << "job " << id << " was done and should have been left alone";
  }
}

void RunTest::expect_whole_campaign() const {
  EXPECT_EQ(campaign_state(), "done");
  const auto all = jobs();
  EXPECT_EQ(all.size(), 8U);
  for (const auto& [id, job] : all) EXPECT_EQ(job.state, "done") << "job " << id;
  EXPECT_EQ(count_decisions("completed"), 8) << "every trial ends once";
}

}  // namespace lrtune
