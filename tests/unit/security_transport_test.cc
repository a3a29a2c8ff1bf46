// Who gets a byte through a socket with keys, over loopback TCP. That nothing came is shown by what
// comes after it from a peer that may speak, and by the log line of the refusal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <mutex>
#include <zmq.hpp>

#include "common/wire/security/stranger_proof.h"
#include "common/wire/transport.h"
#include "tests/support/raw_peer.h"
#include "tests/support/temporary_folder.h"

namespace lrtune::wire {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr const char* kAnyPort = "tcp://127.0.0.1:*";

class SecureTransport : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_key_folder(keys_));
    auto security = load_server_keys(keys_).value();
    security.log = [this](const std::string& text) {
      const std::lock_guard lock(mutex_);
      log_ += text + "\n";
    };
    auto bound = RouterSocket::bind(kAnyPort, {}, security);
    ASSERT_TRUE(bound) << bound.error().message;
    router_.emplace(*std::move(bound));
  }

  DealerSocket connect(const ClientSecurity& security) {
    return DealerSocket::connect(router_->endpoint(), {}, security).value();
  }
  ClientSecurity worker_keys() { return load_client_keys(keys_, PeerRole::kWorker).value(); }
  ClientSecurity client_keys() { return load_client_keys(keys_, PeerRole::kClient).value(); }
  ClientSecurity stranger_keys() { return {worker_keys().server_key, make_key_pair()}; }

  // Until `condition`, with the sockets at work; what the router hears goes to `heard_`.
  void until(const char* what, const std::function<bool()>& condition) {
    const auto end = Clock::now() + 20s;
    while (!condition()) {
      ASSERT_LT(Clock::now(), end) << what << "\nlog:\n" << log();
      router_->wait({}, 5ms);
      while (auto incoming = router_->receive()) heard_.push_back(*std::move(incoming));
    }
  }
  void send(DealerSocket& dealer, const Frame& frame) {
    until("a connection", [&] { return dealer.send(frame); });
  }
  // The next message that the application hears.
  Incoming next() {
    until("a message", [&] { return !heard_.empty(); });
    if (heard_.empty()) return {};
    Incoming first = heard_.front();
    heard_.erase(heard_.begin());
    return first;
  }
  // A peer that is admitted is heard, and nobody was before it.
  void expect_only_the_admitted_are_heard() {
    DealerSocket good = connect(worker_keys());
    send(good, Frame{42});
    const Incoming incoming = next();
    EXPECT_EQ(incoming.frame, Frame{42});
    EXPECT_TRUE(heard_.empty());
  }
  void until_log_has(const std::string& text) {
    until(text.c_str(), [&] { return log().find(text) != std::string::npos; });
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  TemporaryFolder folder_;
  const fs::path keys_ = folder_.path() / "keys";
  const fs::path workers_ = keys_ / "allowed" / "workers";
  std::mutex mutex_;
  std::string log_;
  std::optional<RouterSocket> router_;
  std::vector<Incoming> heard_;
};

TEST_F(SecureTransport, AnAdmittedPeerComesWithItsRoleAndName) {
  DealerSocket worker = connect(worker_keys());
  send(worker, Frame{1});
  const Incoming first = next();
  EXPECT_EQ(first.frame, Frame{1});
  EXPECT_EQ(first.role, PeerRole::kWorker);
  EXPECT_EQ(first.key_name, "worker");
  EXPECT_EQ(router_->send(first.peer, Frame{2}), SendStatus::kSent);
  std::optional<Frame> answer;
  until("the answer", [&] { return (answer = worker.receive()).has_value(); });
  EXPECT_EQ(answer, Frame{2});
  EXPECT_FALSE(worker.refusal());

  ASSERT_TRUE(add_key(keys_, PeerRole::kClient, "ada"));
  until_log_has("the key of client 'ada' is admitted");
  DealerSocket client = connect(load_client_keys(keys_ / "clients/ada", PeerRole::kClient).value());
  send(client, Frame{3});
  const Incoming second = next();
  EXPECT_EQ(second.frame, Frame{3});
  EXPECT_EQ(second.role, PeerRole::kClient);
  EXPECT_EQ(second.key_name, "ada");
}

// Regression: encryption makes a frame longer; the longest ones ended the connection they came
// over, a worker's for ever.
TEST_F(SecureTransport, TheLongestFramesPassBothWays) {
  DealerSocket worker = connect(worker_keys());
  for (std::size_t less : {40U, 1U, 0U}) {
    const Frame longest(kMaxFrameBytes - less, 7);
    send(worker, longest);
    const Incoming incoming = next();
    EXPECT_EQ(incoming.frame, longest);
    EXPECT_EQ(router_->send(incoming.peer, longest), SendStatus::kSent);
    std::optional<Frame> answer;
    until("the answer", [&] { return (answer = worker.receive()).has_value(); });
    EXPECT_EQ(answer, longest);
  }
  EXPECT_EQ(worker.connections(), 1U);
}

// A worker's folder has no client key; one that is renamed to pose as a client's stays a worker's.
TEST_F(SecureTransport, AKeyKeepsItsRoleWhateverItsHolderCallsIt) {
  const auto own = add_key(keys_, PeerRole::kWorker, "node7");
  ASSERT_TRUE(own);
  until_log_has("the key of worker 'node7' is admitted");
  fs::rename(*own / "worker.public", *own / "client.public");
  fs::rename(*own / "worker.secret", *own / "client.secret");
  DealerSocket posing = connect(load_client_keys(*own, PeerRole::kClient).value());
  send(posing, Frame{1});
  EXPECT_EQ(next().role, PeerRole::kWorker);
}

TEST_F(SecureTransport, WithoutKeysEveryoneOnLoopbackIsUnauthenticated) {
  auto open = RouterSocket::bind(kAnyPort).value();
  auto dealer = DealerSocket::connect(open.endpoint()).value();
  const auto end = Clock::now() + 20s;
  std::optional<Incoming> incoming;
  bool sent = false;
  while (!incoming && Clock::now() < end) {
    sent = sent || dealer.send(Frame{1});
    open.wait({}, 5ms);
    incoming = open.receive();
  }
  ASSERT_TRUE(incoming);
  EXPECT_EQ(incoming->role, PeerRole::kUnauthenticated);
  EXPECT_EQ(incoming->key_name, "");
  EXPECT_THAT(open.prove_strangers_refused().error().message, HasSubstr("everyone gets in"));
}

TEST_F(SecureTransport, AKeyThatIsNotListedIsRefused) {
  DealerSocket stranger = connect(stranger_keys());
  until("its refusal", [&] { return stranger.refusal().has_value(); });
  EXPECT_THAT(*stranger.refusal(), HasSubstr("this key is not admitted there"));
  EXPECT_FALSE(stranger.send(Frame{1}));
  EXPECT_EQ(stranger.connections(), 0U);
  until_log_has("a connection from 127.0.0.1 was refused: its key is not admitted");
  expect_only_the_admitted_are_heard();
}

TEST_F(SecureTransport, AKeyThatIsAdmittedLaterGetsInByItself) {
  const ClientSecurity keys = stranger_keys();
  DealerSocket late = connect(keys);
  until("its refusal", [&] { return late.refusal().has_value(); });
  ASSERT_TRUE(write_public_key(workers_ / "late.public", keys.keys.public_key));
  until("a connection", [&] {
    late.wait({}, 1ms);
    return late.send(Frame{7});
  });
  const Incoming incoming = next();
  EXPECT_EQ(incoming.frame, Frame{7});
  EXPECT_EQ(incoming.key_name, "late");
  EXPECT_FALSE(late.refusal());
}

TEST_F(SecureTransport, APeerWithAnotherServersKeyIsRefused) {
  ClientSecurity wrong = worker_keys();
  wrong.server_key = make_key_pair().public_key;
  DealerSocket misled = connect(wrong);
  until_log_has("it was made for another key than this server's");
  until("its refusal", [&] { return misled.refusal().has_value(); });
  EXPECT_FALSE(misled.send(Frame{1}));
  expect_only_the_admitted_are_heard();
}

// A peer of ZeroMQ may see the mismatch first and break off, before the server has read why. One
// that stays shows the server's own word.
TEST_F(SecureTransport, APeerWithoutEncryptionIsRefused) {
  RawPeer staying(router_->endpoint());
  staying.say(greeting("NULL"));
  until_log_has("a connection was refused: it does not encrypt");
  EXPECT_TRUE(staying.closed_within(20s));
  DealerSocket plain = DealerSocket::connect(router_->endpoint()).value();
  until_log_has("a connection was refused: it ");
  until("its refusal", [&] { return plain.refusal().has_value(); });
  EXPECT_FALSE(plain.send(Frame{1}));
  EXPECT_EQ(plain.connections(), 0U);
  expect_only_the_admitted_are_heard();
}

TEST_F(SecureTransport, AWorkerDoesNotTalkToAServerWithoutItsKey) {
  auto impostor = RouterSocket::bind(kAnyPort).value();
  auto worker = DealerSocket::connect(impostor.endpoint(), {}, worker_keys()).value();
  until("its refusal", [&] { return worker.refusal().has_value(); });
  EXPECT_FALSE(worker.send(Frame{1}));
  EXPECT_FALSE(impostor.receive());
}

TEST_F(SecureTransport, ARevokedPeerThatIsConnectedIsCutOffAtOnce) {
  DealerSocket worker = connect(worker_keys());
  DealerSocket client = connect(client_keys());
  send(worker, Frame{1});
  const Incoming before = next();
  fs::remove(workers_ / "worker.public");
  until_log_has("the key of worker 'worker' is revoked");

  EXPECT_EQ(router_->send(before.peer, Frame{2}), SendStatus::kNobody);
  EXPECT_TRUE(worker.send(Frame{3})) << "its connection is still there";
  until_log_has("a message was dropped: its sender's key is revoked");
  send(client, Frame{4});
  EXPECT_EQ(next().frame, Frame{4});
  EXPECT_TRUE(heard_.empty());
  EXPECT_FALSE(worker.receive());

  ASSERT_TRUE(write_public_key(workers_ / "again.public", worker_keys().keys.public_key));
  until_log_has("the key of worker 'again' is admitted");
  EXPECT_TRUE(worker.send(Frame{5}));
  const Incoming after = next();
  EXPECT_EQ(after.frame, Frame{5});
  EXPECT_EQ(after.key_name, "again");
  EXPECT_EQ(router_->send(after.peer, Frame{6}), SendStatus::kSent);
  std::optional<Frame> answer;
  until("the answer", [&] { return (answer = worker.receive()).has_value(); });
  EXPECT_EQ(answer, Frame{6}) << "and what was sent meanwhile never went";
}

TEST_F(SecureTransport, ARevokedPeerThatFloodsKeepsNobodyOut) {
  DealerSocket worker = connect(worker_keys());
  DealerSocket client = connect(client_keys());
  send(worker, Frame{1});
  next();
  fs::remove(workers_ / "worker.public");
  until_log_has("the key of worker 'worker' is revoked");
  int sent = 0;
  until("a flood", [&] {
    sent += worker.send(Frame(1000, 9)) ? 1 : 0;
    return sent == 2000;
  });
  send(client, Frame{4});
  EXPECT_EQ(next().frame, Frame{4});
  EXPECT_TRUE(heard_.empty());
}

TEST_F(SecureTransport, ARevokedKeyDoesNotConnectAgain) {
  fs::remove(workers_ / "worker.public");
  until_log_has("the key of worker 'worker' is revoked");
  DealerSocket worker = connect(worker_keys());
  until("its refusal", [&] { return worker.refusal().has_value(); });
  EXPECT_FALSE(worker.send(Frame{1}));
}

TEST_F(SecureTransport, TheProofHoldsForASocketWithKeysAndFailsForOneThatLetsStrangersIn) {
  const auto proved = router_->prove_strangers_refused();
  EXPECT_TRUE(proved) << proved.error().message;

  // Encrypted, but without an allow-list: what the proof is for.
  zmq::context_t context;
  zmq::socket_t careless(context, zmq::socket_type::router);
  const KeyPair pair = make_key_pair();
  careless.set(zmq::sockopt::curve_server, true);
  careless.set(zmq::sockopt::curve_publickey, pair.public_key);
  careless.set(zmq::sockopt::curve_secretkey, pair.secret_key);
  careless.bind(kAnyPort);
  const auto endpoint = careless.get(zmq::sockopt::last_endpoint);
  EXPECT_THAT(lrtune::wire::prove_strangers_refused(endpoint, pair.public_key).error().message,
              HasSubstr("with a key that is not admitted at " + endpoint + " was let in"));
  // Nobody there, and not encrypted at all.
  careless.unbind(endpoint);
  EXPECT_THAT(
      lrtune::wire::prove_strangers_refused(endpoint, pair.public_key, 300ms).error().message,
      HasSubstr("was not refused within 300 ms"));
  auto open = RouterSocket::bind(kAnyPort).value();
  EXPECT_FALSE(lrtune::wire::prove_strangers_refused(open.endpoint(), pair.public_key, 300ms));
}

TEST_F(SecureTransport, WithoutKeysSocketsStayOnLoopback) {
  EXPECT_THAT(RouterSocket::bind("tcp://*:0").error().message,
              HasSubstr("cannot listen on 'tcp://*:0' without keys"));
  EXPECT_THAT(DealerSocket::connect("tcp://192.0.2.1:5555").error().message,
              HasSubstr("cannot connect to 'tcp://192.0.2.1:5555' without keys"));
  const auto bound = RouterSocket::bind("tcp://*:*", {}, load_server_keys(keys_).value());
  EXPECT_TRUE(bound) << bound.error().message;
}

TEST_F(SecureTransport, GarbageOverTcpIsCutOffAndNothingOfItIsHeard) {
  const std::string ready("\4\x26\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0\0", 40);
  const std::string frames[] = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      std::string("\1\0\5hello", 8),                                 // ZMTP 1.0
      std::string("\xff\0\0\0\0\0\0\0\1\x7f\1\5\0\0\0\5hello", 22),  // ZMTP 2.0
      greeting("NULL") + ready + std::string("\0\5hello", 7),        // ZMTP 3, plain
      greeting("PLAIN") + std::string("\4\x0d\5HELLO\1a\1b", 12),    // user and password
      greeting("CURVE") + ready + std::string("\0\5hello", 7),       // no HELLO of CURVE
      greeting("CURVE") + std::string("\4\xc8\5HELLO\1\0", 9) + std::string(191, 'x'),
      std::string(100'000, '\xff'),
      std::string(100'000, '\0'),
  };
  for (const std::string& bytes : frames) {
    RawPeer peer(router_->endpoint());
    ASSERT_TRUE(peer.connected());
    peer.say(bytes);
    EXPECT_TRUE(peer.closed_within(20s)) << ::testing::PrintToString(bytes.substr(0, 60));
  }
  until_log_has("a connection was refused");
  expect_only_the_admitted_are_heard();
}

}  // namespace
}  // namespace lrtune::wire
