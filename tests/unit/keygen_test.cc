// lrtune keygen, and the worker's and the checkpoint service's --keys: what they print and refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/process.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Keygen : public ::testing::Test {
 protected:
  ProcessResult run(const std::vector<std::string>& arguments,
                    const std::string& program = LRTUNE_PROGRAM) const {
    return Process(program, arguments, folder_.path()).wait();
  }
  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }
  TemporaryFolder folder_;
};

TEST_F(Keygen, MakesAFolderAddsKeysAndSaysWhatToDoWithThem) {
  const auto made = run({"keygen", "keys"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("lrtune keygen keys --worker NAME"));
  EXPECT_THAT(made.err, IsEmpty());
  struct stat found {};
  ASSERT_EQ(stat(file("keys/coordinator.secret").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600U);

  const auto worker = run({"keygen", "keys", "--worker", "node7"});
  EXPECT_EQ(worker.exit_code, 0) << worker.err;
  EXPECT_THAT(worker.out, HasSubstr("copy keys/workers/node7 to its machine"));
  EXPECT_THAT(worker.out, HasSubstr("rm keys/allowed/workers/node7.public"));
  EXPECT_TRUE(std::filesystem::exists(file("keys/allowed/workers/node7.public")));
  EXPECT_TRUE(std::filesystem::exists(file("keys/workers/node7/worker.secret")));
  const auto client = run({"keygen", "keys", "--client", "ada"});
  EXPECT_EQ(client.exit_code, 0) << client.err;
  EXPECT_TRUE(std::filesystem::exists(file("keys/clients/ada/client.secret")));

  const auto again = run({"keygen", "keys"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("keys/coordinator.public is there already; keys are never"));
  EXPECT_THAT(again.out, IsEmpty());
  EXPECT_EQ(run({"keygen", "keys", "--worker", "a", "--client", "b"}).exit_code, 2);
  EXPECT_THAT(run({"keygen", "keys", "--worker", "../a"}).err, HasSubstr("cannot name a key"));
  EXPECT_THAT(run({"keygen", "--help"}).out,
              HasSubstr("A machine that runs workers needs coordinator.public"));
}

TEST_F(Keygen, AWorkerNeedsKeysBeyondLoopbackAndGoodOnes) {
  const std::vector<std::string> far = {"--connect", "tcp://192.0.2.1:5555", "--trainer",
                                        "synthetic"};
  const auto without = run(far, LRTUNE_WORKER);
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("without keys"));
  EXPECT_THAT(without.err, HasSubstr("--keys DIR"));
  auto with = far;
  with.insert(with.end(), {"--keys", "keys"});
  const auto absent = run(with, LRTUNE_WORKER);
  EXPECT_EQ(absent.exit_code, 2);
  EXPECT_THAT(absent.err, HasSubstr("cannot read the key keys/worker.secret: No such file"));
  ASSERT_EQ(run({"keygen", "keys"}).exit_code, 0);
  chmod(file("keys/worker.secret").c_str(), 0644);
  EXPECT_THAT(run(with, LRTUNE_WORKER).err, HasSubstr("chmod 600 keys/worker.secret"));
}

TEST_F(Keygen, ACheckpointServiceListensFarOnlyWithKeys) {
  const auto without = run({"there", "--listen", "tcp://*:*"}, LRTUNE_CHECKPOINTS);
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("cannot listen on 'tcp://*:*' without keys"));
  ASSERT_EQ(run({"keygen", "keys"}).exit_code, 0);
  Process service(LRTUNE_CHECKPOINTS, {"there", "--listen", "tcp://*:*", "--keys", "keys"},
                  folder_.path());
  service.until_error_has("event=listens endpoint=tcp://0.0.0.0:");
}

// A worker that is refused says so once, goes on trying, and leaves when it was told to.
TEST_F(Keygen, AWorkerThatIsNotAdmittedSaysSo) {
  ASSERT_EQ(run({"keygen", "keys"}).exit_code, 0);
  ASSERT_EQ(run({"keygen", "other"}).exit_code, 0);
  Process service(LRTUNE_CHECKPOINTS, {"there", "--listen", "tcp://127.0.0.1:*", "--keys", "keys"},
                  folder_.path());
  service.until_error_has("event=listens ");
  const std::string text = service.err();
  const auto at = text.rfind("tcp://");
  const std::string endpoint = text.substr(at, text.find_first_of(" \n", at) - at);
  // That server's key, and a worker's that it does not list.
  std::filesystem::copy(file("keys/checkpoints.public"), file("other/coordinator.public"),
                        std::filesystem::copy_options::overwrite_existing);
  Process worker(LRTUNE_WORKER,
                 {"--connect", endpoint, "--trainer", "synthetic", "--keys", "other"},
                 folder_.path());
  worker.until_error_has("event=no_connection reason=\"this key is not admitted there");
}

}  // namespace
}  // namespace lrtune
