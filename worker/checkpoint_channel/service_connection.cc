#include "worker/checkpoint_channel/service_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/wire/checkpoint_messages.h"
#include "worker/checkpoint_channel/socket_limits.h"

namespace lrtune {

using Clock = std::chrono::steady_clock;

Result<ServiceConnection> ServiceConnection::connect(
    std::string endpoint, ServicePatience patience,
    const std::optional<wire::ClientSecurity>& security) {
  auto socket = wire::DealerSocket::connect(endpoint, kCheckpointSocket, security);
  if (!socket) return tl::unexpected(socket.error());
  return ServiceConnection(std::move(endpoint), patience, *std::move(socket));
}

bool ServiceConnection::send(const ClientMessages& messages) {
  return std::all_of(messages.begin(), messages.end(),
                     [&](const auto& message) { return socket_.send(wire::encode(message)); });
}

bool ServiceConnection::is_new() {
  const auto connections = socket_.connections();
  return std::exchange(seen_connections_, connections) != connections;
}

void ServiceConnection::wait_idle(int descriptor, std::chrono::milliseconds time) {
  const int descriptors[] = {descriptor};
  socket_.wait(descriptors, time);
  while (socket_.receive()) {
  }
}

// Whether there was one.
Result<bool> ServiceConnection::pass_answers_to(Transfer& transfer) {
  bool any = false;
  while (auto frame = transfer.done() ? std::nullopt : socket_.receive()) {
    const auto answer = wire::decode_to_checkpoint_client(*frame);
    const auto* refusal = answer ? std::get_if<wire::NotUnderstood>(&*answer) : nullptr;
    if (!answer || refusal != nullptr) {
      return fail(
          fmt::format("the checkpoint service at {} and this worker do not understand each "
                      "other: {}",
                      endpoint_, answer ? refusal->reason : answer.error().message));
    }
    send(transfer.on_answer(*answer));
    any = true;
  }
  return any;
}

Result<void> ServiceConnection::carry_out(Transfer& transfer,
                                          const std::function<bool()>& stopped) {
  constexpr std::chrono::milliseconds kLook{100};
  is_new();  // what was before does not count
  bool connected = send(transfer.start());
  auto moved_at = Clock::now();
  auto asked_at = moved_at;
  while (!transfer.done()) {
    if (stopped()) return fail("the run was asked to stop");
    socket_.wait({}, std::min(kLook, patience_.ask_again_after));
    const std::int64_t position = transfer.position();
    const auto answered = pass_answers_to(transfer);
    if (!answered) return tl::unexpected(answered.error());
    const auto now = Clock::now();
    if (transfer.position() != position) moved_at = now;
    if (*answered) asked_at = now;
    if (transfer.done()) break;
    if (now - moved_at >= (connected ? patience_.silent_after : patience_.absent_after)) {
      const auto refusal = socket_.refusal();
      return fail(fmt::format("the checkpoint service at {} does not answer{}", endpoint_,
                              refusal ? ": " + *refusal : ""));
    }
    if (is_new() || now - asked_at >= patience_.ask_again_after) {
      connected = send(transfer.start());
      asked_at = now;
    }
  }
  if (transfer.error()) return tl::unexpected(*transfer.error());
  return {};
}

}  // namespace lrtune
