// docs/OPERATIONS.md and the alerts say what the program has, and all of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "coordinator/operations/operations.h"
#include "tests/support/http_client.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using testing::ContainerEq;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

std::string read(const std::string& path) {
  std::ifstream file(std::string(LRTUNE_SOURCE_DIR) + '/' + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What the first group of `pattern` matches, each once.
std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

std::set<std::string> exposed_metrics() {
  const TemporaryFolder folder;
  const auto operations =
      Operations::start(
          {.listen = "127.0.0.1:0", .store = folder.file("test.db"), .version = "1.2.3"})
          .value();
  Snapshot snapshot;
  snapshot.counts.trials[TrialState::kDone] = 1;
  snapshot.counts.campaigns[CampaignState::kDone] = 1;
  operations->observer().pictured(snapshot);
  return matches(http_get(operations->address().port, "/metrics").body, "# TYPE (\\w+) ");
}

std::string section(const std::string& page, const std::string& title) {
  const auto begin = page.find("\n## " + title + '\n');
  if (begin == std::string::npos) return {};
  return page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

TEST(OperationsPage, ExplainsEveryMetricAndNoOther) {
  const std::string table = section(read("docs/OPERATIONS.md"), "Metrics");
  EXPECT_THAT(matches(table, "`((?:lrtune|process)_[a-z_]+)`"), ContainerEq(exposed_metrics()));
}

TEST(OperationsPage, ExplainsEveryAlarmAndNoOther) {
  const auto alerts = matches(read("deploy/prometheus/lrtune.rules.yml"), "alert: (\\w+)");
  EXPECT_THAT(alerts, Not(IsEmpty()));
  const std::string table = section(read("docs/OPERATIONS.md"), "Alarms");
  EXPECT_THAT(matches(table, "\\| `(Lrtune\\w+)` \\|"), ContainerEq(alerts));
  // Each of them is seen to stay silent and to fire.
  const auto tested = matches(read("deploy/prometheus/lrtune.rules.test.yml"), "alertname: (\\w+)");
  EXPECT_THAT(tested, ContainerEq(alerts));
}

TEST(OperationsPage, AlarmsLookAtMetricsThatAreThere) {
  std::set<std::string> known = exposed_metrics();
  for (const std::string& name : exposed_metrics()) known.insert(name + "_bucket");
  const auto used =
      matches(read("deploy/prometheus/lrtune.rules.yml"), "\\b((?:lrtune|process)_[a-z_]+)\\b");
  EXPECT_THAT(used, Not(IsEmpty()));
  EXPECT_THAT(known, IsSupersetOf(used));
}

}  // namespace
}  // namespace lrtune
