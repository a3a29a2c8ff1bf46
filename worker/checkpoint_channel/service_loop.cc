#include "worker/checkpoint_channel/service_loop.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "common/wire/security/rate_limited_log.h"
#include "common/wire/transport.h"
#include "worker/checkpoint_channel/socket_limits.h"

namespace lrtune {

struct CheckpointServer::State {
  wire::RouterSocket socket;
  CheckpointService service;
  CheckpointService::Log log;
  wire::RateLimitedLog refusals;

  void answer(const wire::Incoming& incoming, ServiceTime now);
};

CheckpointServer::CheckpointServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
CheckpointServer::CheckpointServer(CheckpointServer&&) noexcept = default;
CheckpointServer& CheckpointServer::operator=(CheckpointServer&&) noexcept = default;
CheckpointServer::~CheckpointServer() = default;

Result<CheckpointServer> CheckpointServer::listen(const std::string& endpoint,
                                                  CheckpointFolder& folder,
                                                  const CheckpointService::Log& log,
                                                  std::optional<wire::ServerSecurity> security) {
  if (security) security->log = log;
  auto socket = wire::RouterSocket::bind(endpoint, kCheckpointSocket, security);
  if (!socket) return tl::unexpected(socket.error());
  if (security) {
    if (auto proved = socket->prove_strangers_refused(); !proved)
      return tl::unexpected(proved.error());
  }
  return CheckpointServer(std::make_unique<State>(
      State{*std::move(socket), CheckpointService(folder, log), log, wire::RateLimitedLog(log)}));
}

const std::string& CheckpointServer::endpoint() const { return state_->socket.endpoint(); }

// A client that does not read loses its answers; it asks again when it reads.
void CheckpointServer::State::answer(const wire::Incoming& incoming, ServiceTime now) {
  if (incoming.role == wire::PeerRole::kClient) {
    refusals.say("role",
                 "a frame of client '" + incoming.key_name +
                     "' was dropped: only workers keep checkpoints here",
                 now);
    return;
  }
  const auto message = wire::decode_to_checkpoint_service(incoming.frame);
  if (!message) {
    log("a frame was dropped: " + message.error().message);
    socket.send(
        incoming.peer,
        wire::encode(wire::ToCheckpointClient(wire::NotUnderstood{message.error().message})));
    return;
  }
  if (const auto answer = service.on_message(incoming.peer, *message, now))
    socket.send(incoming.peer, wire::encode(*answer));
}

void CheckpointServer::run(int stop) {
  constexpr std::chrono::seconds kLookForSilence{60};
  const int descriptors[] = {stop};
  auto look_at = std::chrono::steady_clock::now() + kLookForSilence;
  while (true) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= look_at) {
      state_->service.on_time(now);
      look_at = now + kLookForSilence;
    }
    // A message at a time, so that a busy socket cannot hide the wish to stop.
    if (const auto incoming = state_->socket.receive()) state_->answer(*incoming, now);
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(look_at - now);
    if (!state_->socket.wait(descriptors, pause).empty()) return;
  }
}

}  // namespace lrtune
