// Keys as files: what is made, what is refused, and the allow-list that follows its folders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/wire/security/admission.h"
#include "common/wire/security/allow_list.h"
#include "common/wire/security/endpoint.h"
#include "common/wire/security/key_folder.h"
#include "common/wire/security/rate_limited_log.h"
#include "tests/support/temporary_folder.h"

namespace lrtune::wire {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

mode_t mode_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

class KeyFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made = make_key_folder(keys_);
    ASSERT_TRUE(made) << made.error().message;
  }
  std::string server_error() const {
    const auto loaded = load_server_keys(keys_);
    return loaded ? "" : loaded.error().message;
  }
  std::string worker_error() const {
    const auto loaded = load_client_keys(keys_, PeerRole::kWorker);
    return loaded ? "" : loaded.error().message;
  }

  TemporaryFolder folder_;
  const fs::path keys_ = folder_.path() / "keys";
  const fs::path workers_ = keys_ / "allowed" / "workers";
  const fs::path clients_ = keys_ / "allowed" / "clients";
};

TEST_F(KeyFolder, HasAPairForEachAndSecretsForTheirOwnerAlone) {
  for (const char* name : {"coordinator", "checkpoints", "worker", "client"}) {
    EXPECT_EQ(mode_of(keys_ / (std::string(name) + ".secret")), 0600U) << name;
    const auto pair = read_key_pair(keys_, name);
    ASSERT_TRUE(pair) << pair.error().message;
    EXPECT_THAT(pair->public_key, SizeIs(40));
    EXPECT_THAT(pair->secret_key, SizeIs(40));
    EXPECT_NE(pair->public_key, pair->secret_key);
  }
  EXPECT_EQ(mode_of(keys_), 0700U);
  EXPECT_EQ(read_public_key(workers_ / "worker.public").value(),
            read_public_key(keys_ / "worker.public").value());
  EXPECT_EQ(read_public_key(clients_ / "client.public").value(),
            read_public_key(keys_ / "client.public").value());
  EXPECT_EQ(server_error(), "");
  const auto client = load_client_keys(keys_, PeerRole::kClient);
  ASSERT_TRUE(client);
  EXPECT_EQ(client->server_key, load_server_keys(keys_)->keys.public_key);
  EXPECT_NE(client->server_key, load_server_keys(keys_, kCheckpointsKey)->keys.public_key);
}

TEST_F(KeyFolder, NothingIsOverwritten) {
  const auto before = read_key_pair(keys_, "coordinator").value().secret_key;
  const auto again = make_key_folder(keys_);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("coordinator.public is there already"));
  EXPECT_EQ(read_key_pair(keys_, "coordinator").value().secret_key, before);

  const fs::path other = folder_.path() / "other";
  fs::create_directory(other);
  write(other / "client.secret", "mine");
  EXPECT_THAT(make_key_folder(other).error().message, HasSubstr("client.secret is there already"));
  EXPECT_THAT(std::distance(fs::directory_iterator(other), fs::directory_iterator()), 1)
      << "and nothing is made";

  ASSERT_TRUE(add_key(keys_, PeerRole::kWorker, "node7"));
  EXPECT_THAT(add_key(keys_, PeerRole::kWorker, "node7").error().message,
              HasSubstr("node7.public is there already"));
}

TEST_F(KeyFolder, OneMoreWorkerGetsAFolderWithAllThatItNeedsAndNoMore) {
  const auto own = add_key(keys_, PeerRole::kWorker, "node7");
  ASSERT_TRUE(own) << own.error().message;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(*own)) files.push_back(entry.path().filename());
  EXPECT_THAT(files, UnorderedElementsAre("coordinator.public", "checkpoints.public",
                                          "worker.public", "worker.secret"));
  const auto keys = load_client_keys(*own, PeerRole::kWorker);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->keys.public_key, read_public_key(workers_ / "node7.public").value());
  EXPECT_TRUE(load_client_keys(*own, PeerRole::kWorker, kCheckpointsKey));

  const auto client = add_key(keys_, PeerRole::kClient, "ada");
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_TRUE(load_client_keys(*client, PeerRole::kClient));
  EXPECT_TRUE(fs::exists(clients_ / "ada.public"));
}

TEST_F(KeyFolder, ABadNameOrFolderIsNamed) {
  for (const std::string name : {"", "a/b", "..", ".a", "-a", "a b", "a\n", "a.b/c"}) {
    const auto added = add_key(keys_, PeerRole::kWorker, name);
    ASSERT_FALSE(added) << name;
    EXPECT_THAT(added.error().message, HasSubstr("cannot name a key")) << name;
  }
  EXPECT_FALSE(is_key_name(std::string(65, 'a')));
  EXPECT_TRUE(is_key_name(std::string(64, 'a')));
  EXPECT_THAT(add_key(folder_.path() / "none", PeerRole::kWorker, "a").error().message,
              HasSubstr("none/coordinator.public: No such file"));
}

TEST_F(KeyFolder, ASecretThatOthersMayReadIsRefused) {
  for (const mode_t mode : {0640U, 0604U, 0620U}) {
    chmod((keys_ / "coordinator.secret").c_str(), mode);
    EXPECT_THAT(server_error(), HasSubstr("coordinator.secret may be read or written by others"));
    EXPECT_THAT(server_error(), HasSubstr("chmod 600"));
    chmod((keys_ / "worker.secret").c_str(), mode);
    EXPECT_THAT(worker_error(), HasSubstr("worker.secret may be read or written by others"));
  }
  chmod((keys_ / "worker.secret").c_str(), 0400);
  EXPECT_EQ(worker_error(), "");
}

TEST_F(KeyFolder, AnAllowListThatOthersMayWriteIsRefused) {
  chmod(clients_.c_str(), 0777);
  EXPECT_THAT(server_error(), HasSubstr("allowed/clients may be written by others (mode 0777)"));
  chmod(clients_.c_str(), 0700);
  EXPECT_EQ(server_error(), "");
  chmod((keys_ / "coordinator.public").c_str(), 0666);
  EXPECT_THAT(worker_error(), HasSubstr("coordinator.public may be written by others"));
}

TEST_F(KeyFolder, BadFilesAreNamed) {
  for (const char* text : {"", "\n", "short", "0123456789012345678901234567890123456789 and more",
                           "|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~"}) {
    write(keys_ / "worker.public", text);
    EXPECT_THAT(worker_error(), HasSubstr("worker.public is no key: it must be one line of 40"))
        << text;
  }
  write(keys_ / "worker.public", make_key_pair().public_key);
  EXPECT_THAT(worker_error(), HasSubstr("worker.public does not belong to worker.secret"));
  fs::remove(keys_ / "worker.secret");
  EXPECT_THAT(worker_error(), HasSubstr("worker.secret: No such file"));
  fs::create_directory(keys_ / "worker.secret");
  EXPECT_THAT(worker_error(), HasSubstr("worker.secret is not a file"));
  fs::remove_all(clients_);
  EXPECT_THAT(server_error(), HasSubstr("cannot read the folder"));
}

class AllowListTest : public KeyFolder {
 protected:
  void SetUp() override {
    KeyFolder::SetUp();
    list_.emplace(keys_ / "allowed", [this](const std::string& text) { log_.push_back(text); });
  }
  std::vector<std::string> admitted() {
    std::vector<std::string> names;
    const auto keys = list_->keys();
    for (const auto& [key, peer] : *keys)
      names.push_back(std::string(name_of(peer.role)) + " " + peer.name);
    return names;
  }
  std::vector<std::string> log_;
  std::optional<AllowList> list_;
};

TEST_F(AllowListTest, FollowsFilesThatComeAndGo) {
  EXPECT_THAT(admitted(), UnorderedElementsAre("worker worker", "client client"));
  EXPECT_THAT(log_, IsEmpty());
  const std::string key = make_key_pair().public_key;
  ASSERT_TRUE(write_public_key(workers_ / "late.public", key));
  list_->refresh();
  EXPECT_THAT(admitted(), UnorderedElementsAre("worker worker", "worker late", "client client"));
  EXPECT_THAT(list_->keys()->at(key), (AdmittedPeer{PeerRole::kWorker, "late"}));
  fs::remove(workers_ / "worker.public");
  fs::rename(workers_ / "late.public", clients_ / "late.public");
  list_->refresh();
  EXPECT_THAT(admitted(), UnorderedElementsAre("client late", "client client"));
  EXPECT_THAT(log_, UnorderedElementsAre("the key of worker 'late' is admitted",
                                         "the key of worker 'worker' is revoked",
                                         "the key of worker 'late' is revoked",
                                         "the key of client 'late' is admitted"));
}

TEST_F(AllowListTest, AFileThatChangesInPlaceIsReadAgain) {
  const std::string key = make_key_pair().public_key;
  write(workers_ / "worker.public", key + "\r\n");
  list_->refresh();
  EXPECT_TRUE(list_->keys()->contains(key));
  EXPECT_THAT(*list_->keys(), SizeIs(2));
  chmod((workers_ / "worker.public").c_str(), 0666);
  list_->refresh();
  EXPECT_FALSE(list_->keys()->contains(key));
  EXPECT_THAT(log_.at(2), HasSubstr("may be written by others"));
}

TEST_F(AllowListTest, WhatIsNoKeyIsSaidOnceAndAdmitsNobody) {
  write(workers_ / "bad.public", "no key");
  write(workers_ / "b d.public", make_key_pair().public_key);
  write(workers_ / "note.txt", "nothing to read");
  fs::create_directory(workers_ / "folder.public");
  for (int i = 0; i < 3; ++i) list_->refresh();
  EXPECT_THAT(admitted(), UnorderedElementsAre("worker worker", "client client"));
  EXPECT_THAT(log_, UnorderedElementsAre(HasSubstr("bad.public is no key"),
                                         HasSubstr("a name that cannot name a key"),
                                         HasSubstr("folder.public is not a file")));
}

TEST_F(AllowListTest, AFolderThatIsGoneRevokesAllOfItsKeysAndMayComeBack) {
  fs::rename(workers_, keys_ / "away");
  list_->refresh();
  EXPECT_THAT(admitted(), ElementsAre("client client"));
  EXPECT_THAT(log_, ElementsAre(HasSubstr("nobody is admitted as a worker: cannot read"),
                                "the key of worker 'worker' is revoked"));
  fs::rename(keys_ / "away", workers_);
  list_->refresh();
  EXPECT_THAT(admitted(), UnorderedElementsAre("worker worker", "client client"));
}

TEST_F(AllowListTest, AKeyInBothRolesHasNeither) {
  fs::copy(workers_ / "worker.public", clients_ / "both.public");
  list_->refresh();
  EXPECT_THAT(admitted(), ElementsAre("client client"));
  EXPECT_THAT(log_.at(0), HasSubstr("the key of client 'both' is that of worker 'worker' as well"));
}

TEST(Admission, SpeaksOnlyToThoseItHeardAndWhoAreAdmittedStill) {
  std::vector<std::string> log;
  Admission admission([&](const std::string& text) { log.push_back(text); });
  const AdmittedKeys both = {{"a", {PeerRole::kWorker, "one"}}, {"b", {PeerRole::kClient, "two"}}};
  EXPECT_FALSE(admission.may_hear("x", both)) << "it has not spoken yet";
  const AdmittedPeer* sender = admission.sender("x", "a", both);
  ASSERT_NE(sender, nullptr);
  EXPECT_EQ(*sender, (AdmittedPeer{PeerRole::kWorker, "one"}));
  EXPECT_TRUE(admission.may_hear("x", both));
  EXPECT_FALSE(admission.may_hear("x", {{"b", {PeerRole::kClient, "two"}}}));
  EXPECT_EQ(admission.sender("y", "", both), nullptr);
  EXPECT_EQ(admission.sender("y", "c", both), nullptr);
  EXPECT_THAT(log, ElementsAre(HasSubstr("its sender's key is revoked"))) << "one a second";

  EXPECT_EQ(admission.sender("x", "b", both), nullptr) << "x is the connection of a";
  EXPECT_FALSE(admission.may_hear("x", both));
  EXPECT_THAT(log.at(1), HasSubstr("client 'two' was dropped: it uses another key's identity"));
}

TEST(Admission, RemembersABoundedNumberOfPeersAndTheLastOfThemSurely) {
  Admission admission([](const std::string&) {});
  const AdmittedKeys keys = {{"a", {PeerRole::kWorker, "one"}}};
  constexpr int kMany = 100'000;
  for (int i = 0; i < kMany; ++i) {
    ASSERT_NE(admission.sender(std::to_string(i), "a", keys), nullptr);
    ASSERT_NE(admission.sender("busy", "a", keys), nullptr);
  }
  EXPECT_TRUE(admission.may_hear("busy", keys));
  EXPECT_TRUE(admission.may_hear(std::to_string(kMany - 30'000), keys));
  EXPECT_FALSE(admission.may_hear("0", keys));
}

TEST(RateLimitedLog, WritesOneLineASecondOfAKindAndCountsTheRest) {
  std::vector<std::string> log;
  RateLimitedLog limited([&](const std::string& text) { log.push_back(text); });
  const RateLimitedLog::Clock::time_point start{std::chrono::hours(1)};
  for (int i = 0; i < 5; ++i) limited.say("a", "first", start);
  limited.say("b", "other", start);
  limited.say("a", "second", start + std::chrono::seconds(1));
  limited.say("a", "third", start + std::chrono::seconds(2));
  EXPECT_THAT(log,
              ElementsAre("first", "other", "second (4 such lines before were left out)", "third"));
}

TEST(Endpoint, LoopbackIsWhatOnlyThisMachineReaches) {
  for (const char* endpoint :
       {"tcp://127.0.0.1:5555", "tcp://127.0.0.1:*", "tcp://127.9.8.7:1", "tcp://localhost:5555",
        "tcp://[::1]:5555", "ipc:///run/lrtune", "inproc://a"}) {
    EXPECT_TRUE(is_loopback(endpoint)) << endpoint;
    EXPECT_TRUE(require_loopback("listen on", endpoint)) << endpoint;
  }
  for (const char* endpoint :
       {"tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://10.0.0.1:5555", "tcp://[::]:5555",
        "tcp://127.0.0.1.example.org:5555", "tcp://127.0.0.1:0;10.0.0.1:5555", "tcp://eth0:5555",
        "tcp://localhost.example.org:1", "tcp://128.0.0.1:1"}) {
    EXPECT_FALSE(is_loopback(endpoint)) << endpoint;
    const auto required = require_loopback("listen on", endpoint);
    ASSERT_FALSE(required) << endpoint;
    EXPECT_THAT(required.error().message, HasSubstr("without keys")) << endpoint;
    EXPECT_THAT(required.error().message, HasSubstr("--keys DIR")) << endpoint;
  }
  for (const char* endpoint :
       {"", "localhost:5555", "tcp://nowhere", "tcp://a:b", "tipc://{1,2}"}) {
    EXPECT_THAT(require_loopback("connect to", endpoint).error().message,
                HasSubstr("an endpoint must be like tcp://HOST:PORT"))
        << endpoint;
  }
}

// ZeroMQ takes port 99999 for 34463.
TEST(Endpoint, APortIsNoMoreThan65535) {
  EXPECT_TRUE(check_endpoint("listen on", "tcp://10.0.0.1:65535"));
  EXPECT_TRUE(check_endpoint("listen on", "tcp://*:*"));
  EXPECT_TRUE(check_endpoint("listen on", "ipc:///tmp/socket"));
  for (const char* endpoint : {"tcp://127.0.0.1:65536", "tcp://127.0.0.1:99999", "tcp://a:-1",
                               "tcp://a:1x", "tcp://a:99999999999999999999"}) {
    const auto checked = check_endpoint("connect to", endpoint);
    ASSERT_FALSE(checked) << endpoint;
    EXPECT_THAT(checked.error().message, HasSubstr("with a port from 0 to 65535")) << endpoint;
  }
}

}  // namespace
}  // namespace lrtune::wire
