// Checkpoints that travel: the service's answers, transfers over a connection that loses messages,
// and both ends with real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <deque>
#include <fstream>
#include <thread>

#include "common/random.h"
#include "common/state_name.h"
#include "common/wire/security/key_folder.h"
#include "tests/support/raw_peer.h"
#include "tests/support/temporary_folder.h"
#include "worker/checkpoint_channel/checkpoint_client.h"
#include "worker/checkpoint_channel/service.h"
#include "worker/checkpoint_channel/service_loop.h"
#include "worker/checkpoint_channel/transfers.h"
#include "worker/checkpoints/checkpoint_folder.h"
#include "worker/checkpoints/run_checkpoints.h"
#include "worker/descriptor.h"

namespace lrtune {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::int64_t kRoomy = 1 << 30;
constexpr std::size_t kManyChunks = 9 * 1024 * 1024 + 17;  // more than a window of credit

Digest state_of(int number) { return sha256(std::to_string(number)); }

Checkpoint checkpoint_of(int number, std::size_t bytes = 5000) {
  Checkpoint checkpoint{.state = state_of(number), .iteration = number};
  std::string values(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) values[i] = static_cast<char>(i * 31 + i / 251);
  checkpoint.tensors = {{"parameter/a", "float32", {1}, values}};
  return checkpoint;
}

// A machine's folder of checkpoints.
class Place {
 public:
  explicit Place(std::int64_t budget = kRoomy)
      : folder_(std::move(CheckpointFolder::open(path_.path(), budget).value())) {}
  CheckpointFolder& operator*() { return *folder_; }
  CheckpointFolder* operator->() { return folder_.get(); }
  void save(int number, std::size_t bytes = 5000) {
    const auto saved = folder_->save(checkpoint_of(number, bytes));
    ASSERT_TRUE(saved) << saved.error().message;
  }
  const std::filesystem::path& path() const { return path_.path(); }
  // What of a transfer is there, bytes.
  std::int64_t arrived() const {
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().extension() == ".arriving")
        return static_cast<std::int64_t>(entry.file_size());
    }
    return -1;
  }

 private:
  TemporaryFolder path_;
  std::unique_ptr<CheckpointFolder> folder_;
};

class CheckpointServiceTest : public ::testing::Test {
 protected:
  std::optional<wire::ToCheckpointClient> say(const wire::ToCheckpointService& message,
                                              const std::string& peer = "a") {
    return service_->on_message(peer, message, now_);
  }
  template <typename Answer>
  Answer answer(const wire::ToCheckpointService& message, const std::string& peer = "a") {
    const auto given = say(message, peer);
    const auto* wanted = given ? std::get_if<Answer>(&*given) : nullptr;
    if (wanted == nullptr) {
      ADD_FAILURE() << "another answer";
      return {};
    }
    return *wanted;
  }
  // Exchanges until the transfer is done or `most` messages went to the service.
  void carry_out(Transfer& transfer, int most = 1000) {
    auto messages = transfer.start();
    std::deque<wire::ToCheckpointService> queue(messages.begin(), messages.end());
    for (int i = 0; i < most && !queue.empty() && !transfer.done(); ++i) {
      const auto given = say(queue.front());
      queue.pop_front();
      if (!given) continue;
      for (auto& message : transfer.on_answer(*given)) queue.push_back(std::move(message));
    }
  }
  void restart() {
    service_.reset();
    service_.emplace(*there_, [this](const std::string& text) { log_ += text + "\n"; });
  }

  Place here_;
  Place there_{4 * kManyChunks};
  std::string log_;
  ServiceTime now_{std::chrono::hours(1)};
  std::optional<CheckpointService> service_{std::in_place, *there_,
                                            [this](const std::string& text) { log_ += text; }};
};

TEST_F(CheckpointServiceTest, ACheckpointGoesThereAndComesBackElsewhere) {
  here_.save(1, kManyChunks);
  PushTransfer push(*here_, state_of(1));
  carry_out(push);
  ASSERT_TRUE(push.done());
  EXPECT_FALSE(push.error()) << push.error()->message;
  EXPECT_THAT(there_->states(), UnorderedElementsAre(state_of(1)));

  Place elsewhere;
  FetchTransfer fetch(*elsewhere, state_of(1));
  carry_out(fetch);
  ASSERT_TRUE(fetch.done());
  const auto loaded = elsewhere->load(state_of(1));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->checkpoint, checkpoint_of(1, kManyChunks));
  EXPECT_EQ(there_.arrived(), -1);
  EXPECT_EQ(elsewhere.arrived(), -1);
}

TEST_F(CheckpointServiceTest, AnUploadGoesOnWhereItWasAfterARestartOfTheService) {
  here_.save(1, kManyChunks);
  PushTransfer push(*here_, state_of(1));
  carry_out(push, /*most=*/4);
  ASSERT_FALSE(push.done());
  const std::int64_t arrived = there_.arrived();
  EXPECT_GT(arrived, 0);
  restart();
  const auto wanted = answer<wire::Wanted>(push.start().front());
  EXPECT_EQ(wanted.offset, arrived);
  carry_out(push);
  EXPECT_TRUE(push.done());
  EXPECT_THAT(there_->states(), UnorderedElementsAre(state_of(1)));
}

TEST_F(CheckpointServiceTest, ADownloadGoesOnWhereItWasInAnotherProcess) {
  there_.save(1, kManyChunks);
  {
    FetchTransfer fetch(*here_, state_of(1));
    carry_out(fetch, /*most=*/4);
    ASSERT_FALSE(fetch.done());
  }
  const std::int64_t arrived = here_.arrived();
  EXPECT_GT(arrived, 0);
  FetchTransfer fetch(*here_, state_of(1));
  const auto first = fetch.on_answer(*say(fetch.start().front()));
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(std::get<wire::ReadChunk>(first.front()).offset, arrived);
  carry_out(fetch);
  EXPECT_TRUE(here_->load(state_of(1)));
}

TEST_F(CheckpointServiceTest, WhatWasTornMeanwhileIsNotKept) {
  here_.save(1, kManyChunks);
  PushTransfer push(*here_, state_of(1));
  carry_out(push, /*most=*/4);
  for (const auto& entry : std::filesystem::directory_iterator(there_.path())) {
    if (entry.path().extension() != ".arriving") continue;
    std::fstream(entry.path(), std::ios::in | std::ios::out).seekp(100) << "torn";
  }
  carry_out(push);
  ASSERT_TRUE(push.done());
  ASSERT_TRUE(push.error());
  EXPECT_THAT(push.error()->message, HasSubstr("SHA-256"));
  EXPECT_THAT(there_->states(), IsEmpty());
  EXPECT_EQ(there_.arrived(), -1) << "the next offer starts from nothing";
}

TEST_F(CheckpointServiceTest, WhatIsNotThatStateIsNotKept) {
  here_.save(1);
  std::filesystem::rename(here_.path() / (state_of(1).hex() + ".checkpoint"),
                          here_.path() / (state_of(2).hex() + ".checkpoint"));
  PushTransfer push(*here_, state_of(2));
  carry_out(push);
  ASSERT_TRUE(push.error());
  EXPECT_THAT(push.error()->message, HasSubstr("another state"));
  EXPECT_THAT(there_->states(), IsEmpty());
}

TEST_F(CheckpointServiceTest, TheSameOfferAgainIsStoredAtOnce) {
  here_.save(1);
  for (int i = 0; i < 2; ++i) {
    PushTransfer push(*here_, state_of(1));
    carry_out(push, i == 0 ? 1000 : 1);
    EXPECT_TRUE(push.done());
  }
}

TEST_F(CheckpointServiceTest, TwoClientsMaySendTheSameCheckpointAtOnce) {
  here_.save(1, kManyChunks);
  const auto file = here_->open_file(state_of(1)).value();
  const auto digest = file.digest().value();
  const wire::ToCheckpointService offer =
      wire::OfferFile{.state = state_of(1), .digest = digest, .size = file.size()};
  EXPECT_EQ(answer<wire::Wanted>(offer, "a").offset, 0);
  EXPECT_EQ(answer<wire::Wanted>(offer, "b").offset, 0);
  const auto bytes = file.read(0, 1000).value();
  const wire::ToCheckpointService chunk = wire::WriteChunk{
      .state = state_of(1), .digest = digest, .offset = 0, .bytes = {bytes.begin(), bytes.end()}};
  EXPECT_EQ(answer<wire::Wanted>(chunk, "a").offset, 1000);
  EXPECT_EQ(answer<wire::Wanted>(chunk, "b").offset, 1000) << "it came twice and counts once";
}

TEST_F(CheckpointServiceTest, AnOfferWithoutRoomIsRefusedWithTheReason) {
  here_.save(1, 5 * kManyChunks);
  PushTransfer push(*here_, state_of(1));
  carry_out(push);
  ASSERT_TRUE(push.error());
  EXPECT_THAT(push.error()->message, HasSubstr("does not fit"));
}

TEST_F(CheckpointServiceTest, WhatAClientUsesStaysUntilItReleasesItOrIsForgotten) {
  there_.save(1);
  answer<wire::File>(wire::AskFile{state_of(1)}, "a");
  answer<wire::File>(wire::AskFile{state_of(1)}, "b");
  say(wire::RemoveState{state_of(1)}, "b");
  EXPECT_THAT(there_->states(), Contains(state_of(1))) << "a uses it";
  now_ += kForgetAfter;
  service_->on_time(now_);
  EXPECT_EQ(service_->clients(), 0U);
  say(wire::RemoveState{state_of(1)}, "b");
  EXPECT_THAT(there_->states(), IsEmpty());
}

TEST_F(CheckpointServiceTest, SignsOfLifeKeepWhatIsUsedAndNothingElse) {
  there_.save(1);
  there_.save(2);
  answer<wire::File>(wire::AskFile{state_of(1)});
  now_ += kForgetAfter - std::chrono::seconds(1);
  say(wire::UseStates{{state_of(2), state_of(3)}});
  now_ += std::chrono::seconds(2);
  service_->on_time(now_);
  EXPECT_EQ(service_->clients(), 1U);
  for (int number : {1, 2}) say(wire::RemoveState{state_of(number)}, "b");
  EXPECT_THAT(there_->states(), UnorderedElementsAre(state_of(2)));
}

TEST_F(CheckpointServiceTest, AClientUsesABoundedNumber) {
  for (int i = 0; i <= static_cast<int>(kMostUsed); ++i) there_.save(i, 10);
  for (int i = 0; i < static_cast<int>(kMostUsed); ++i)
    answer<wire::File>(wire::AskFile{state_of(i)});
  const auto refused = answer<wire::Missing>(wire::AskFile{state_of(kMostUsed)});
  EXPECT_THAT(refused.reason, HasSubstr("64 checkpoints at a time"));
  answer<wire::File>(wire::AskFile{state_of(kMostUsed)}, "b");
}

TEST_F(CheckpointServiceTest, OffersUnderWayAreBounded) {
  for (int i = 0; i < static_cast<int>(kMostUploads); ++i)
    answer<wire::Wanted>(wire::OfferFile{.state = state_of(i), .digest = {}, .size = 1});
  const wire::ToCheckpointService one_more =
      wire::OfferFile{.state = state_of(-1), .digest = {}, .size = 1};
  EXPECT_THAT(answer<wire::NotTaken>(one_more).reason, HasSubstr("256 checkpoints"));
  now_ += kForgetAfter;
  service_->on_time(now_);
  answer<wire::Wanted>(one_more);
}

TEST_F(CheckpointServiceTest, MessagesThatFitNothingHaveAnAnswerOrNone) {
  EXPECT_THAT(answer<wire::Missing>(wire::AskFile{state_of(1)}).reason, HasSubstr("cannot open"));
  there_.save(1);
  const auto file = answer<wire::File>(wire::AskFile{state_of(1)});
  EXPECT_THAT(
      answer<wire::Missing>(wire::ReadChunk{.state = state_of(1), .offset = file.size, .count = 1})
          .reason,
      HasSubstr("ends before"));
  EXPECT_FALSE(
      say(wire::WriteChunk{.state = state_of(9), .digest = {}, .offset = 0, .bytes = {1}}));
}

TEST_F(CheckpointServiceTest, MoreBytesThanOfferedAreRefused) {
  answer<wire::Wanted>(wire::OfferFile{.state = state_of(1), .digest = {}, .size = 10});
  const auto refused = answer<wire::NotTaken>(
      wire::WriteChunk{.state = state_of(1), .digest = {}, .offset = 0, .bytes = wire::Bytes(11)});
  EXPECT_THAT(refused.reason, HasSubstr("1 bytes more than the 10"));
}

TEST_F(CheckpointServiceTest, ALongListComesInParts) {
  constexpr int kMany = static_cast<int>(wire::kMaxListedStates) + 5;
  std::set<Digest> expected;
  for (int i = 0; i < kMany; ++i) {
    expected.insert(state_of(i));
    std::ofstream(there_.path() / (state_of(i).hex() + ".checkpoint")) << "x";
  }
  ListTransfer list;
  carry_out(list);
  ASSERT_TRUE(list.done());
  const auto states = list.take();
  EXPECT_EQ(std::set<Digest>(states.begin(), states.end()), expected);
}

// Connections that break: messages and answers under way are lost, the transfer starts again; the
// service is started anew; answers come twice.
// Of one thread, so the thread sanitizer, under which a seed takes seconds, has little to see.
#ifdef __SANITIZE_THREAD__
constexpr std::uint64_t kBadConnections = 2;
#else
constexpr std::uint64_t kBadConnections = 20;
#endif

TEST_F(CheckpointServiceTest, TransfersSurviveABadConnection) {
  for (std::uint64_t seed = 1; seed <= kBadConnections; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Place source;
    Place target;
    source.save(1, kManyChunks);
    std::uint64_t draw = 0;
    const auto chance = [&](std::uint64_t of) {
      return random_bits("bad", seed, draw++) % of == 0;
    };
    const auto run = [&](Transfer& transfer) {
      std::deque<wire::ToCheckpointService> queue;
      for (int step = 0; step < 10'000 && !transfer.done(); ++step) {
        if (chance(30)) restart();
        if (queue.empty() || chance(12)) {
          queue.clear();
          for (auto& message : transfer.start()) queue.push_back(std::move(message));
          continue;
        }
        const auto given = say(queue.front());
        if (!chance(10)) queue.pop_front();  // else it comes twice
        if (!given || chance(15)) continue;
        for (int times = chance(10) ? 2 : 1; times > 0 && !transfer.done(); --times) {
          for (auto& message : transfer.on_answer(*given)) queue.push_back(std::move(message));
        }
      }
      ASSERT_TRUE(transfer.done());
      ASSERT_FALSE(transfer.error()) << transfer.error()->message;
    };
    PushTransfer push(*source, state_of(1));
    run(push);
    FetchTransfer fetch(*target, state_of(1));
    run(fetch);
    ASSERT_TRUE(target->load(state_of(1)));
    say(wire::UseStates{});
    say(wire::RemoveState{state_of(1)});
  }
}

// A service with its thread.
class RunningService {
 public:
  explicit RunningService(
      CheckpointFolder& folder, const std::string& endpoint = "tcp://127.0.0.1:*",
      const std::optional<wire::ServerSecurity>& security = std::nullopt,
      const CheckpointService::Log& log = [](const std::string&) {})
      : server_(CheckpointServer::listen(endpoint, folder, log, security).value()),
        stop_(eventfd(0, EFD_CLOEXEC)),
        thread_([this] { server_.run(stop_.number()); }) {}
  ~RunningService() {
    eventfd_write(stop_.number(), 1);
    thread_.join();
  }
  const std::string& endpoint() const { return server_.endpoint(); }

 private:
  CheckpointServer server_;
  Descriptor stop_;
  std::thread thread_;
};

// How long a client waits for a service that answers, on however slow a machine.
constexpr std::chrono::milliseconds kAsLongAsItTakes{300'000};
constexpr std::chrono::milliseconds kNotLong{1500};

class CheckpointClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<RemoteCheckpoints> connect(
      Place& place, const std::string& endpoint,
      const std::optional<wire::ClientSecurity>& security = std::nullopt,
      std::chrono::milliseconds absent_after = kAsLongAsItTakes) {
    CheckpointClientOptions options{.endpoint = endpoint, .security = security};
    options.patience = {.ask_again_after = std::chrono::milliseconds(200),
                        .absent_after = absent_after};
    options.log = [this](const std::string& text) {
      const std::lock_guard lock(mutex_);
      log_ += text + "\n";
    };
    return connect_checkpoint_client(*place, std::move(options)).value();
  }
  std::unique_ptr<RemoteCheckpoints> connect_to_nobody() {
    return connect(one_, "tcp://127.0.0.1:1", std::nullopt, kNotLong);
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  Place there_;
  Place one_;
  Place two_;
  const std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::string log_;
};

TEST_F(CheckpointClientTest, AStateOfOneMachineIsFoundByAnother) {
  const RunningService service(*there_);
  one_.save(1, kManyChunks);
  const auto first = connect(one_, service.endpoint());
  first->push(state_of(1), one_->open_file(state_of(1)).value().hold());
  const auto pushed = first->wait_until_pushed(state_of(1));
  ASSERT_TRUE(pushed) << pushed.error().message;
  const auto second = connect(two_, service.endpoint());
  const auto states = second->states(stop_);
  ASSERT_TRUE(states) << states.error().message;
  EXPECT_THAT(*states, UnorderedElementsAre(state_of(1)));
  const auto fetched = second->fetch(state_of(1), stop_);
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_EQ(two_->load(state_of(1)).value().checkpoint, checkpoint_of(1, kManyChunks));
  EXPECT_THAT(second->fetch(state_of(2), stop_).error().message, HasSubstr("cannot open"));
}

TEST_F(CheckpointClientTest, WithKeysOnlyWorkersAreServed) {
  const TemporaryFolder place;
  const std::filesystem::path keys = place.path() / "keys";
  ASSERT_TRUE(wire::make_key_folder(keys));
  std::string refusals;  // of the service; its thread has ended when it is read
  {
    const RunningService service(*there_, "tcp://127.0.0.1:*",
                                 wire::load_server_keys(keys, wire::kCheckpointsKey).value(),
                                 [&](const std::string& text) {
                                   const std::lock_guard lock(mutex_);
                                   refusals += text + "\n";
                                 });
    const auto key_of = [&](wire::PeerRole role) {
      return wire::load_client_keys(keys, role, wire::kCheckpointsKey).value();
    };
    one_.save(1, kManyChunks);
    const auto worker = connect(one_, service.endpoint(), key_of(wire::PeerRole::kWorker));
    worker->push(state_of(1), one_->open_file(state_of(1)).value().hold());
    const auto pushed = worker->wait_until_pushed(state_of(1));
    ASSERT_TRUE(pushed) << pushed.error().message;

    // One of ZeroMQ may break off before the service knows why; one that stays is told of by name,
    // but for the lines of one second that the log leaves out.
    const auto named = [&] {
      const std::lock_guard lock(mutex_);
      return refusals.find("it does not encrypt") != std::string::npos;
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!named() && std::chrono::steady_clock::now() < deadline) {
      RawPeer staying(service.endpoint());
      staying.say(greeting("NULL"));
      ASSERT_TRUE(staying.closed_within(std::chrono::seconds(20)));
    }
    const auto plain = connect(two_, service.endpoint(), std::nullopt, kNotLong);
    EXPECT_THAT(plain->fetch(state_of(1), stop_).error().message, HasSubstr("does not answer: "));
    ServicePatience short_patience{.ask_again_after = std::chrono::milliseconds(100),
                                   .absent_after = std::chrono::milliseconds(1000),
                                   .silent_after = std::chrono::milliseconds(1000)};
    auto client = ServiceConnection::connect(service.endpoint(), short_patience,
                                             key_of(wire::PeerRole::kClient))
                      .value();
    ListTransfer list;
    EXPECT_FALSE(client.carry_out(list, [] { return false; })) << "a client keeps no checkpoints";
    EXPECT_THAT(list.take(), IsEmpty());
  }
  EXPECT_THAT(refusals, HasSubstr("a frame of client 'client' was dropped"));
  EXPECT_THAT(refusals, HasSubstr("its key is not admitted")) << "the proof at its start";
  EXPECT_THAT(refusals, HasSubstr("it does not encrypt"));
}

TEST_F(CheckpointClientTest, WhatWasPushedLastIsThereWhenTheClientEnds) {
  const RunningService service(*there_);
  one_.save(1, kManyChunks);
  {
    const auto client = connect(one_, service.endpoint());
    client->push(state_of(1), one_->open_file(state_of(1)).value().hold());
  }
  EXPECT_THAT(there_->states(), UnorderedElementsAre(state_of(1)));
}

TEST_F(CheckpointClientTest, RemovedStatesGoInBothPlacesAfterTheNewerOnesAreStored) {
  const RunningService service(*there_);
  const auto client = connect(one_, service.endpoint());
  for (int number : {1, 2}) {
    one_.save(number);
    client->push(state_of(number), one_->open_file(state_of(number)).value().hold());
  }
  client->remove(state_of(1));
  ASSERT_TRUE(client->wait_until_pushed(state_of(2)));
  for (int i = 0; i < 10'000 && there_->states().contains(state_of(1)); ++i)
    ASSERT_TRUE(client->states(stop_));  // the removal goes when nobody asks
  EXPECT_THAT(client->states(stop_).value(), UnorderedElementsAre(state_of(2)));
  EXPECT_THAT(one_->states(), UnorderedElementsAre(state_of(2)));
}

// Two runs of one process had the same state; what one dropped was taken from the other.
TEST_F(CheckpointClientTest, AStateStaysAsLongAsARunUsesIt) {
  const RunningService service(*there_);
  const auto client = connect(one_, service.endpoint());
  one_.save(1);
  for (int run = 0; run < 2; ++run)
    client->push(state_of(1), one_->open_file(state_of(1)).value().hold());
  ASSERT_TRUE(client->wait_until_pushed(state_of(1)));
  client->remove(state_of(1));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client->states(stop_));
  EXPECT_THAT(there_->states(), UnorderedElementsAre(state_of(1)));
  client->remove(state_of(1));
  for (int i = 0; i < 10'000 && !there_->states().empty(); ++i) ASSERT_TRUE(client->states(stop_));
  EXPECT_THAT(there_->states(), IsEmpty());
}

TEST_F(CheckpointClientTest, AServiceThatIsNotThereIsAnErrorInTimeAndThenAtOnce) {
  const auto client = connect_to_nobody();
  EXPECT_THAT(client->states(stop_).error().message, HasSubstr("does not answer"));
  EXPECT_THAT(client->fetch(state_of(1), stop_).error().message,
              HasSubstr("did not answer a moment ago"));
  one_.save(1);
  client->push(state_of(1), one_->open_file(state_of(1)).value().hold());
  EXPECT_THAT(client->wait_until_pushed(state_of(1)).error().message, HasSubstr("does not answer"));
  EXPECT_THAT(log(), HasSubstr("checkpoints stay on this machine"));
}

// While the service was away each checkpoint of a run stayed, held, until the folder was full.
TEST_F(CheckpointClientTest, WhatARunDropsWhileTheServiceIsAwayGoesAtOnce) {
  const auto client = connect_to_nobody();
  EXPECT_FALSE(client->states(stop_));
  for (int number = 1; number <= 4; ++number) {
    one_.save(number);
    client->push(state_of(number), one_->open_file(state_of(number)).value().hold());
    if (number > 2) client->remove(state_of(number - 2));
  }
  EXPECT_THAT(one_->states(), UnorderedElementsAre(state_of(3), state_of(4)));
}

TEST_F(CheckpointClientTest, AStopEndsTheWait) {
  const auto client = connect_to_nobody();
  const std::atomic<bool> stopped = true;
  EXPECT_THAT(client->states(stopped).error().message, HasSubstr("asked to stop"));
}

TEST_F(CheckpointClientTest, AServiceThatComesBackIsUsedAgain) {
  one_.save(1, kManyChunks);
  auto service = std::make_unique<RunningService>(*there_);
  const std::string endpoint = service->endpoint();
  const auto client = connect(one_, endpoint);
  ASSERT_TRUE(client->states(stop_));
  service.reset();
  client->push(state_of(1), one_->open_file(state_of(1)).value().hold());
  service = std::make_unique<RunningService>(*there_, endpoint);
  const auto pushed = client->wait_until_pushed(state_of(1));
  EXPECT_TRUE(pushed) << pushed.error().message;
  EXPECT_THAT(there_->states(), UnorderedElementsAre(state_of(1)));
}

// What an interrupted run leaves is where a run on another machine goes on.
TEST_F(CheckpointClientTest, ARunGoesOnOnAnotherMachine) {
  const RunningService service(*there_);
  Policy policy;
  policy.segments.push_back({.function = {.kind = LrFunctionKind::kFix, .k0 = 0.1}});
  const RunPlan plan{.iterations = 100, .evaluate_every = 50, .train_subset = 10};
  const Digest start = sha256("start");
  Checkpoint checkpoint = checkpoint_of(30);
  checkpoint.state = state_after(start, policy, 0, 30);
  checkpoint.measured = {.part = plan.evaluate_on, .train_subset = plan.train_subset};
  checkpoint.history = {MetricPoint{.iteration = 0, .learning_rate = 0.1}};
  {
    const auto client = connect(one_, service.endpoint());
    const CheckpointOptions options{.folder = &*one_, .remote = client.get()};
    RunCheckpoints run(options, {.start = start}, policy, plan);
    EXPECT_FALSE(run.longest_prefix(stop_));
    run.save(checkpoint);
    run.hand_over();
    EXPECT_THAT(there_->states(), UnorderedElementsAre(checkpoint.state)) << log();
  }
  const auto client = connect(two_, service.endpoint());
  const CheckpointOptions options{.folder = &*two_, .remote = client.get()};
  RunCheckpoints run(options, {.start = start}, policy, plan);
  auto found = run.longest_prefix(stop_);
  ASSERT_TRUE(found) << log();
  found->computed = {};
  EXPECT_EQ(*found, checkpoint);
}

}  // namespace
}  // namespace lrtune
