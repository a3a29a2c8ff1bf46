#include "worker/checkpoint_channel/checkpoint_client.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "common/wire/checkpoint_messages.h"
#include "worker/checkpoint_channel/service_connection.h"
#include "worker/checkpoint_channel/transfers.h"
#include "worker/descriptor.h"

namespace lrtune {
namespace {

using Clock = std::chrono::steady_clock;

// Somebody waits for it.
struct Question {
  std::function<Result<void>(const std::function<bool()>& stopped)> carry_out;
  const std::atomic<bool>* stop = nullptr;
  std::optional<Result<void>> answer;
};

class Client final : public RemoteCheckpoints {
 public:
  Client(CheckpointFolder& folder, CheckpointClientOptions options, ServiceConnection service)
      : folder_(folder),
        options_(std::move(options)),
        service_(std::move(service)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this] { run(); }) {}
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<std::unordered_set<Digest>> states(const std::atomic<bool>& stop) override;
  Result<void> fetch(const Digest& state, const std::atomic<bool>& stop) override;
  void push(const Digest& state, CheckpointHold hold) override;
  Result<void> wait_until_pushed(const Digest& state) override;
  void remove(const Digest& state) override;
  void release(const Digest& state) override;

 private:
  // Callers' side
  Result<void> ask(std::function<Result<void>(const std::function<bool()>&)> carry_out,
                   const std::atomic<bool>& stop);
  void wake() { eventfd_write(wake_.number(), 1); }
  bool queued(const Digest& state) const;  // REQUIRES: mutex_
  bool drop_use(const Digest& state);
  bool away() const { return Clock::now() < try_again_at_; }  // REQUIRES: mutex_

  // The thread's side
  void run();
  bool answer_question();
  bool push_next();
  bool remove_next();
  Result<void> carry_out(Transfer& transfer, const std::function<bool()>& stopped);
  bool say_used();
  void note_answer(bool away);
  std::chrono::milliseconds idle_time();

  CheckpointFolder& folder_;
  const CheckpointClientOptions options_;
  ServiceConnection service_;  // the thread's
  Descriptor wake_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::deque<Question*> questions_;
  struct Push {
    Digest state;
    CheckpointHold hold;
    bool under_way = false;
  };
  std::deque<Push> pushes_;
  std::map<Digest, std::string> push_failures_;  // of states that runs still use
  std::vector<Digest> removals_;
  std::map<Digest, int> used_;        // by how many runs
  Clock::time_point try_again_at_{};  // before, the service counts as away
  Clock::time_point say_used_at_ = Clock::now();

  bool said_away_ = false;  // the thread's

  std::thread thread_;  // last: it uses all above
};

// ---- callers' side

// The last states of runs that ended should still get there, if the service takes them soon: nobody
// waits for them yet, and they stay in the folder. Runs that were stopped have waited longer.
Client::~Client() {
  {
    std::unique_lock lock(mutex_);
    const bool all = changed_.wait_for(lock, options_.patience.absent_after,
                                       [this] { return pushes_.empty() || away(); });
    if (!all) {
      options_.log(fmt::format("{} checkpoints have not reached the service at {}; they stay here",
                               pushes_.size(), options_.endpoint));
    }
    ending_ = true;
  }
  wake();
  thread_.join();
}

Result<void> Client::ask(std::function<Result<void>(const std::function<bool()>&)> carry_out,
                         const std::atomic<bool>& stop) {
  Question question{.carry_out = std::move(carry_out), .stop = &stop, .answer = {}};
  std::unique_lock lock(mutex_);
  if (ending_) return fail("the worker ends");
  questions_.push_back(&question);
  wake();
  changed_.wait(lock, [&] { return question.answer.has_value(); });
  return *std::move(question.answer);
}

Result<std::unordered_set<Digest>> Client::states(const std::atomic<bool>& stop) {
  ListTransfer list;
  auto asked = ask([&](const auto& stopped) { return carry_out(list, stopped); }, stop);
  if (!asked) return tl::unexpected(asked.error());
  const std::vector<Digest> states = list.take();
  return std::unordered_set<Digest>(states.begin(), states.end());
}

Result<void> Client::fetch(const Digest& state, const std::atomic<bool>& stop) {
  auto fetched = ask(
      [&](const auto& stopped) {
        FetchTransfer transfer(folder_, state);
        return carry_out(transfer, stopped);
      },
      stop);
  if (!fetched) return fetched;
  const std::lock_guard lock(mutex_);
  ++used_[state];
  return fetched;
}

void Client::push(const Digest& state, CheckpointHold hold) {
  const std::lock_guard lock(mutex_);
  pushes_.push_back({state, std::move(hold)});
  ++used_[state];
  wake();
}

bool Client::queued(const Digest& state) const {
  return std::any_of(pushes_.begin(), pushes_.end(),
                     [&](const Push& push) { return push.state == state; });
}

Result<void> Client::wait_until_pushed(const Digest& state) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !queued(state) || away() || ending_; });
  if (const auto failure = push_failures_.find(state); failure != push_failures_.end())
    return fail(failure->second);
  if (queued(state)) return fail("the checkpoint service does not answer");
  return {};
}

// REQUIRES: mutex_. Whether no run uses it any more.
bool Client::drop_use(const Digest& state) {
  const auto used = used_.find(state);
  if (used != used_.end() && --used->second > 0) return false;
  if (used != used_.end()) used_.erase(used);
  push_failures_.erase(state);
  return true;
}

void Client::remove(const Digest& state) {
  const std::lock_guard lock(mutex_);
  if (!drop_use(state)) return;  // another run here still needs it
  // One that waits is not worth the way, and its hold would fill the folder while the service is
  // away.
  std::erase_if(pushes_, [&](const Push& push) { return push.state == state && !push.under_way; });
  folder_.remove(state);
  removals_.push_back(state);
  changed_.notify_all();
  wake();
}

void Client::release(const Digest& state) {
  const std::lock_guard lock(mutex_);
  if (!drop_use(state)) return;
  say_used_at_ = Clock::now();
  wake();
}

// ---- the thread's side

void Client::run() {
  const auto ending = [this] {
    const std::lock_guard lock(mutex_);
    return ending_;
  };
  while (!ending()) {
    if (answer_question() || push_next() || remove_next() || say_used()) continue;
    service_.wait_idle(wake_.number(), idle_time());
    eventfd_t count = 0;
    eventfd_read(wake_.number(), &count);
  }
  const std::lock_guard lock(mutex_);
  for (Question* question : questions_) question->answer = fail("the worker ends");
  questions_.clear();
  changed_.notify_all();
}

bool Client::answer_question() {
  Question* question = nullptr;
  bool away_now = false;
  {
    const std::lock_guard lock(mutex_);
    if (questions_.empty()) return false;
    question = questions_.front();
    away_now = away();
  }
  auto answer = away_now ? Result<void>(fail("the checkpoint service did not answer a moment ago"))
                         : question->carry_out([question] { return question->stop->load(); });
  const std::lock_guard lock(mutex_);
  questions_.pop_front();
  question->answer = std::move(answer);
  changed_.notify_all();
  return true;
}

// A push that fails stays, to be tried again later.
bool Client::push_next() {
  Digest state;
  {
    const std::lock_guard lock(mutex_);
    if (pushes_.empty() || away()) return false;
    state = pushes_.front().state;
    pushes_.front().under_way = true;
  }
  PushTransfer transfer(folder_, state);
  (void)carry_out(transfer, [this] {
    const std::lock_guard lock(mutex_);
    return ending_;
  });
  const std::lock_guard lock(mutex_);
  pushes_.front().under_way = false;
  if (transfer.done()) pushes_.pop_front();  // stored, or refused for good
  if (transfer.error()) {
    push_failures_[state] = transfer.error()->message;
    options_.log(fmt::format("the checkpoint {:.12} stays on this machine alone: {}", state.hex(),
                             transfer.error()->message));
  }
  changed_.notify_all();
  return true;
}

bool Client::remove_next() {
  std::vector<Digest> states;
  {
    const std::lock_guard lock(mutex_);
    if (removals_.empty() || !pushes_.empty()) return false;
    states = std::exchange(removals_, {});
  }
  for (const Digest& state : states) {
    folder_.remove(state);
    service_.send({wire::RemoveState{state}});  // if it is lost, the service's budget sees to it
  }
  return true;
}

Result<void> Client::carry_out(Transfer& transfer, const std::function<bool()>& stopped) {
  auto carried = service_.carry_out(transfer, stopped);
  if (transfer.done() || !stopped()) note_answer(/*away=*/!transfer.done());
  return carried;
}

void Client::note_answer(bool away) {
  if (std::exchange(said_away_, away) != away) {
    options_.log(fmt::format("the checkpoint service at {} {}", options_.endpoint,
                             away
                                 ? "does not answer; checkpoints stay on this machine until it does"
                                 : "answers again"));
  }
  if (!away) return;
  const std::lock_guard lock(mutex_);
  try_again_at_ = Clock::now() + options_.pause_after_failure;
}

// A service that was started again knows nothing of this client.
bool Client::say_used() {
  wire::UseStates message;
  {
    const std::lock_guard lock(mutex_);
    if (!service_.is_new() && Clock::now() < say_used_at_) return false;
    say_used_at_ = Clock::now() + options_.say_used_every;
    for (const auto& [state, runs] : used_) message.states.push_back(state);
  }
  if (message.states.size() > wire::kMaxListedStates) message.states.resize(wire::kMaxListedStates);
  service_.send({message});
  return true;
}

// How long nothing is due.
std::chrono::milliseconds Client::idle_time() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  auto until = say_used_at_;
  if (!pushes_.empty()) until = std::min(until, std::max(now, try_again_at_));
  return std::chrono::ceil<std::chrono::milliseconds>(until - now);
}

}  // namespace

Result<std::unique_ptr<RemoteCheckpoints>> connect_checkpoint_client(
    CheckpointFolder& folder, CheckpointClientOptions options) {
  auto service = ServiceConnection::connect(options.endpoint, options.patience, options.security);
  if (!service) return tl::unexpected(service.error());
  return std::make_unique<Client>(folder, std::move(options), *std::move(service));
}

}  // namespace lrtune
