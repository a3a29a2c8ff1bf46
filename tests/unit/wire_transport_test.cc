// The two sockets against each other, over loopback TCP. Waits are for something that comes, with a
// deadline.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "common/wire/transport.h"

namespace lrtune::wire {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* kAnyPort = "tcp://127.0.0.1:*";

template <typename Socket>
auto receive_within(Socket& socket, std::chrono::seconds limit = 20s) {
  const auto end = Clock::now() + limit;
  auto message = socket.receive();
  while (!message && Clock::now() < end) {
    socket.wait({}, 100ms);
    message = socket.receive();
  }
  return message;
}

// Without a connection nothing is queued, so a first send waits for one.
void send_connected(DealerSocket& dealer, const Frame& frame) {
  const auto end = Clock::now() + 20s;
  while (!dealer.send(frame)) {
    ASSERT_LT(Clock::now(), end);
    dealer.wait({}, 10ms);
  }
}

TEST(Transport, FramesGoBothWays) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router) << router.error().message;
  EXPECT_THAT(router->endpoint(), ::testing::MatchesRegex("tcp://127.0.0.1:[0-9]+"));
  auto dealer = DealerSocket::connect(router->endpoint());
  ASSERT_TRUE(dealer) << dealer.error().message;
  send_connected(*dealer, Frame{1, 2, 3});
  const auto incoming = receive_within(*router);
  ASSERT_TRUE(incoming);
  EXPECT_EQ(incoming->frame, (Frame{1, 2, 3}));
  EXPECT_EQ(incoming->peer.size(), 16U);
  EXPECT_EQ(router->send(incoming->peer, Frame{4}), SendStatus::kSent);
  EXPECT_EQ(receive_within(*dealer), (Frame{4}));
  EXPECT_EQ(dealer->connections(), 1U);
}

TEST(Transport, NothingThereIsNothing) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  EXPECT_FALSE(router->receive());
  EXPECT_TRUE(router->wait({}, 0ms).empty());
  EXPECT_FALSE(router->receive());
}

TEST(Transport, ASendToNobodySaysSo) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  EXPECT_EQ(router->send("who is this", Frame{1}), SendStatus::kNobody);
}

TEST(Transport, APeerThatDoesNotReadFillsItsQueueAndBlocksNobody) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  auto slow = DealerSocket::connect(router->endpoint());
  auto good = DealerSocket::connect(router->endpoint());
  ASSERT_TRUE(slow && good);
  send_connected(*slow, Frame{1});
  const auto first = receive_within(*router);
  ASSERT_TRUE(first);
  const Frame large(kMaxFrameBytes, 7);
  SendStatus status = SendStatus::kSent;
  for (int i = 0; i < 10'000 && status == SendStatus::kSent; ++i)
    status = router->send(first->peer, large);
  EXPECT_EQ(status, SendStatus::kFull);
  send_connected(*good, Frame{2});
  const auto second = receive_within(*router);
  ASSERT_TRUE(second);
  EXPECT_EQ(router->send(second->peer, Frame{3}), SendStatus::kSent);
  EXPECT_EQ(receive_within(*good), (Frame{3}));
}

// Regression: a connection that was whole and took nothing any more was kept for ever.
TEST(Transport, AConnectionThatTakesNothingIsMadeAnew) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  SocketLimits limits;
  limits.stalled_after = 50ms;
  auto dealer = DealerSocket::connect(router->endpoint(), limits);
  ASSERT_TRUE(dealer);
  send_connected(*dealer, Frame{1});
  ASSERT_EQ(dealer->connections(), 1U);
  const Frame large(kMaxFrameBytes, 7);
  const auto end = Clock::now() + 20s;
  while (dealer->connections() < 2 && Clock::now() < end) {
    if (!dealer->send(large)) dealer->wait({}, 10ms);  // nobody reads
  }
  EXPECT_GE(dealer->connections(), 2U);
}

TEST(Transport, AConnectionIsMadeAnewOnDemand) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  auto dealer = DealerSocket::connect(router->endpoint());
  ASSERT_TRUE(dealer);
  send_connected(*dealer, Frame{1});
  const auto before = receive_within(*router);
  ASSERT_TRUE(before);
  dealer->connect_anew();
  const auto end = Clock::now() + 20s;
  while (dealer->connections() < 2 && Clock::now() < end) dealer->wait({}, 100ms);
  send_connected(*dealer, Frame{2});
  const auto after = receive_within(*router);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->frame, (Frame{2}));
  EXPECT_EQ(after->peer, before->peer);
}

TEST(Transport, WithoutACoordinatorNothingIsQueued) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  const std::string endpoint = router->endpoint();
  { const RouterSocket closed = std::move(*router); }
  auto dealer = DealerSocket::connect(endpoint);
  ASSERT_TRUE(dealer);
  EXPECT_FALSE(dealer->send(Frame{1}));
  EXPECT_EQ(dealer->connections(), 0U);
}

TEST(Transport, AReturnedCoordinatorIsFoundAgainAndCounted) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  const std::string endpoint = router->endpoint();
  auto dealer = DealerSocket::connect(endpoint);
  ASSERT_TRUE(dealer);
  send_connected(*dealer, Frame{1});
  const auto before = receive_within(*router);
  ASSERT_TRUE(before);
  { const RouterSocket closed = std::move(*router); }
  auto returned = RouterSocket::bind(endpoint);
  ASSERT_TRUE(returned) << returned.error().message;
  const auto end = Clock::now() + 20s;
  while (dealer->connections() < 2 && Clock::now() < end) dealer->wait({}, 100ms);
  ASSERT_EQ(dealer->connections(), 2U);
  send_connected(*dealer, Frame{2});
  const auto after = receive_within(*returned);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->frame, (Frame{2}));
  EXPECT_EQ(after->peer, before->peer) << "a process keeps its identity";
}

TEST(Transport, ADescriptorEndsTheWait) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  const int ready = eventfd(1, EFD_CLOEXEC);
  const int quiet = eventfd(0, EFD_CLOEXEC);
  const int descriptors[] = {quiet, ready};
  EXPECT_EQ(router->wait(descriptors, 20s), std::vector<int>{ready});
  close(ready);
  close(quiet);
}

TEST(Transport, ATakenPortAndABadAddressAreNamed) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  const auto taken = RouterSocket::bind(router->endpoint());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message,
            "cannot listen on '" + router->endpoint() + "': Address already in use");
  const auto bad = RouterSocket::bind("localhost:80");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, ::testing::HasSubstr("cannot listen on 'localhost:80': "));
  const auto nowhere = DealerSocket::connect("tcp://nowhere");
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().message, ::testing::HasSubstr("cannot connect to 'tcp://nowhere': "));
}

TEST(Transport, AMessageOfSeveralPartsComesAsAnEmptyFrame) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  zmq::context_t context;
  zmq::socket_t hostile(context, zmq::socket_type::dealer);
  hostile.set(zmq::sockopt::linger, 0);
  hostile.connect(router->endpoint());
  hostile.send(zmq::buffer("a", 1), zmq::send_flags::sndmore);
  hostile.send(zmq::buffer("b", 1), zmq::send_flags::none);
  hostile.send(zmq::buffer("c", 1), zmq::send_flags::none);
  const auto first = receive_within(*router);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->frame.empty());
  const auto second = receive_within(*router);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->frame, (Frame{'c'}));
}

TEST(Transport, AFrameLargerThanAllowedNeverArrives) {
  auto router = RouterSocket::bind(kAnyPort);
  ASSERT_TRUE(router);
  auto good = DealerSocket::connect(router->endpoint());
  ASSERT_TRUE(good);
  zmq::context_t context;
  zmq::socket_t hostile(context, zmq::socket_type::dealer);
  hostile.set(zmq::sockopt::linger, 0);
  hostile.connect(router->endpoint());
  hostile.send(zmq::buffer(std::string(kMaxFrameBytes + 1, 'x')), zmq::send_flags::none);
  hostile.send(zmq::buffer("small", 5), zmq::send_flags::none);
  send_connected(*good, Frame(kMaxFrameBytes, 1));
  std::size_t bytes = 0;
  while (bytes < kMaxFrameBytes) {
    const auto incoming = receive_within(*router);
    ASSERT_TRUE(incoming);
    ASSERT_LE(incoming->frame.size(), kMaxFrameBytes);
    bytes = incoming->frame.size();
  }
}

// Who sends too much is to be named, which only a frame that arrives allows.
TEST(Transport, AFrameSomewhatTooLargeArrivesAndALargerOneEndsItsConnectionWithALine) {
  std::vector<std::string> log;
  SocketLimits limits;
  limits.oversize = 4;
  auto router = RouterSocket::bind(kAnyPort, limits, std::nullopt,
                                   [&](const std::string& text) { log.push_back(text); });
  ASSERT_TRUE(router);
  zmq::context_t context;
  zmq::socket_t hostile(context, zmq::socket_type::dealer);
  hostile.set(zmq::sockopt::linger, 0);
  hostile.connect(router->endpoint());
  hostile.send(zmq::buffer(std::string(4 * kMaxFrameBytes, 'x')), zmq::send_flags::none);
  const auto first = receive_within(*router);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->frame.size(), 4 * kMaxFrameBytes);
  EXPECT_TRUE(log.empty());
  hostile.send(zmq::buffer(std::string(4 * kMaxFrameBytes + 1, 'x')), zmq::send_flags::none);
  const auto end = Clock::now() + 20s;
  while (log.empty() && Clock::now() < end) {
    router->wait({}, 100ms);
    EXPECT_FALSE(router->receive());
  }
  ASSERT_FALSE(log.empty());
  // One that was gone before libzmq told of it has no address any more.
  EXPECT_THAT(log[0], ::testing::MatchesRegex("a connection( from 127.0.0.1:[0-9]+)? ended"));
}

}  // namespace
}  // namespace lrtune::wire
