// Clients and coordinators that are called wrongly, or that nobody lets in: one line that names the
// thing, an exit code, and no hang.
#include <filesystem>

#include "tests/e2e/coordinator_test_base.h"

namespace lrtune {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

class ClientErrorsTest : public CoordinatorTest {
 protected:
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  // Against the coordinator, with these keys; empty: none.
  ProcessResult status_with(const std::string& keys) const {
    std::vector<std::string> arguments{"status", "--coordinator", endpoint_, "--patience", "5"};
    if (!keys.empty()) arguments.insert(arguments.end(), {"--keys", keys});
    return lrtune(arguments).wait(kPatience);
  }

  struct Call {
    std::vector<std::string> arguments;
    std::string names;  // on the first line of standard error
  };
  void expect_bad_usage(const Call& call, const ProcessResult& result) const {
    SCOPED_TRACE(testing::PrintToString(call.arguments));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(first_line(result.err), StartsWith("lrtune"));
    EXPECT_THAT(first_line(result.err), HasSubstr(call.names));
  }
};

TEST_F(ClientErrorsTest, BadArgumentsAreNamedBeforeAnybodyIsAsked) {
  write("broken.yaml", "name: x\nsed: 1\n");
  const std::vector<Call> calls = {
      {{"submit"}, "file"},
      {{"submit", "nothing.yaml"}, "nothing.yaml"},
      {{"submit", "broken.yaml"}, "broken.yaml:"},
      {{"submit", "broken.yaml", "--device", "tpu"}, "tpu"},
      {{"submit", "broken.yaml", "--priority", "much"}, "--priority"},
      {{"status", "--patience", "x"}, "--patience"},
      {{"status"}, "LRTUNE_COORDINATOR"},
      {{"status", "--coordinator", "nonsense"}, "'nonsense'"},
      {{"status", "--coordinator", "tcp://192.0.2.1:5580"}, "without keys"},
      {{"watch"}, "CAMPAIGN"},
      {{"pause"}, "CAMPAIGN"},
      {{"resume"}, "CAMPAIGN"},
      {{"cancel"}, "CAMPAIGN"},
      {{"extend", "x"}, "nothing to extend it by"},
      {{"extend", "x", "--count", "no"}, "--count"},
      {{"extend", "x", "--epochs", "-1"}, "--epochs"},
      {{"extend", "x", "--policies", "nothing.yaml"}, "nothing.yaml"},
      {{"workers"}, "subcommand"},
      {{"workers", "drain"}, "WORKER"},
      {{"workers", "ban"}, "WORKER"},
      {{"workers", "admit"}, "WORKER"},
      {{"coordinator", "--lease", "0"}, "--lease"},
      {{"coordinator", "--listen", "nonsense"}, "'nonsense'"},
      {{"coordinator", "--listen", "tcp://0.0.0.0:5580"}, "without keys"},
      {{"coordinator", "--keys", "nowhere"}, "nowhere"},
      {{"keygen"}, "DIR"},
  };
  for (const Call& call : calls)
    expect_bad_usage(call, lrtune(call.arguments, {{"LRTUNE_COORDINATOR", ""}}).wait(kPatience));
}

TEST_F(ClientErrorsTest, WhatTheCoordinatorDoesNotKnowIsNamed) {
  Process coordinator = this->coordinator();
  const std::vector<Call> calls = {
      {{"status", "7"}, "'7'"},
      {{"watch", "nobody"}, "'nobody'"},
      {{"pause", "nobody"}, "'nobody'"},
      {{"resume", "nobody"}, "'nobody'"},
      {{"cancel", "nobody"}, "'nobody'"},
      {{"extend", "nobody", "--count", "3"}, "'nobody'"},
      {{"workers", "drain", "nobody"}, "'nobody'"},
      {{"workers", "admit", "nobody"}, "'nobody'"},
  };
  for (const Call& call : calls) expect_bad_usage(call, client(call.arguments).wait(kPatience));
}

TEST_F(ClientErrorsTest, WithoutARightKeyNobodyGetsIn) {
  Process coordinator = this->coordinator();
  const auto expect_refused = [&](const std::string& keys, const std::string& why) {
    SCOPED_TRACE(keys);
    const ProcessResult refused = status_with(keys);
    EXPECT_THAT(refused.exit_code, AnyOf(1, 2));
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(first_line(refused.err), HasSubstr(why));
  };
  const auto folder = [&](const std::string& name) {
    return std::filesystem::path(folder_.file(name));
  };
  EXPECT_EQ(status_with("keys").exit_code, 0);
  expect_refused("", "encrypts");
  expect_refused("nowhere", "nowhere");
  EXPECT_EQ(lrtune({"keygen", "strangers"}).wait(kPatience).exit_code, 0);
  expect_refused("strangers", "no coordinator answers");  // another coordinator's key is expected
  std::filesystem::copy_file(folder("keys") / "coordinator.public",
                             folder("strangers") / "coordinator.public",
                             std::filesystem::copy_options::overwrite_existing);
  expect_refused("strangers", "this key is not admitted");
  EXPECT_EQ(lrtune({"keygen", "keys", "--worker", "one"}).wait(kPatience).exit_code, 0);
  expect_refused("keys/workers/one", "client.secret");
  std::filesystem::remove(folder("keys") / "allowed" / "clients" / "client.public");
  expect_refused("keys", "this key is not admitted");
}

TEST_F(ClientErrorsTest, SubmittedRatesComeFromARangeTestInTheCoordinatorsStore) {
  std::string text = experiment();
  const std::string rate = "fix, k0: 0.1}";
  text.replace(text.find(rate), rate.size(), "fix, k0: {from: range-test}}");
  write("ranged.yaml", text);
  Process first = coordinator();
  const ProcessResult refused = client({"submit", "ranged.yaml"}).wait(kPatience);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err,
              HasSubstr("ranged.yaml:12: k0: the store has no range test of this training; run "
                        "`lrtune range-test ranged.yaml --store lrtune.db` first"));
  EXPECT_EQ(number("SELECT count(*) FROM campaign"), 0);
  EXPECT_EQ(stop(first), 0);
  const ProcessResult tested =
      lrtune({"range-test", "ranged.yaml", "--iterations", "400", "--rates", "31", "--low", "0.005",
              "--high", "5", "--seeds", "1", "--json", "--worker-argument=--trainer",
              "--worker-argument=synthetic:iteration_us=0"})
          .wait(kPatience);
  ASSERT_EQ(tested.exit_code, 0) << tested.err;
  const auto estimate = nlohmann::json::parse(tested.out)["estimate"];
  ASSERT_TRUE(estimate.is_object()) << tested.out;
  Process second = coordinator();
  EXPECT_EQ(ask({"submit", "ranged.yaml"})["name"], "tiny");
  const auto kept =
      nlohmann::json::parse(column("SELECT experiment FROM campaign WHERE name = 'tiny'").front());
  const double k0 = kept["search"]["policies"][0]["k0"];
  EXPECT_NEAR(k0 / estimate["fix"].get<double>(), 1, 1e-3);
  EXPECT_EQ(stop(second), 75) << "no worker has trained it";
}

TEST_F(ClientErrorsTest, AStoreHasOneCoordinator) {
  Process coordinator = this->coordinator();
  const ProcessResult second =
      lrtune({"coordinator", "--listen", "tcp://127.0.0.1:*", "--store", "lrtune.db"})
          .wait(kPatience);
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("lrtune.db is in use by"));
  EXPECT_EQ(status_with("keys").exit_code, 0) << "the first one goes on";
}

TEST_F(ClientErrorsTest, NobodyAnswers) {
  const ProcessResult result = status_with("keys");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(first_line(result.err), HasSubstr("no coordinator answers at " + endpoint_));
}

}  // namespace
}  // namespace lrtune
