#include "coordinator/cli/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "common/wire/codec.h"

namespace lrtune {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLongestWait{200};

std::string given_or_set(const std::string& given, const char* variable) {
  const char* set = std::getenv(variable);
  return given.empty() && set != nullptr ? set : given;
}

}  // namespace

Result<Client> Client::connect(const ClientOptions& options) {
  std::string endpoint = given_or_set(options.coordinator, "LRTUNE_COORDINATOR");
  if (endpoint.empty()) {
    return fail(
        "no coordinator is named: give --coordinator tcp://HOST:PORT or set LRTUNE_COORDINATOR");
  }
  std::optional<wire::ClientSecurity> security;
  if (const std::string keys = given_or_set(options.keys, "LRTUNE_KEYS"); !keys.empty()) {
    auto loaded = wire::load_client_keys(keys, wire::PeerRole::kClient);
    if (!loaded) return tl::unexpected(loaded.error());
    security = *std::move(loaded);
  }
  auto socket = wire::DealerSocket::connect(endpoint, {}, security);
  if (!socket) return tl::unexpected(socket.error());
  const milliseconds patience(static_cast<std::int64_t>(options.patience * 1e3));
  return Client(std::move(*socket), std::move(endpoint), patience);
}

void Client::send(const std::vector<wire::Frame>& frames) {
  sent_ = std::all_of(frames.begin(), frames.end(),
                      [&](const wire::Frame& frame) { return socket_.send(frame); });
}

bool Client::take_answer(std::int64_t number, Result<nlohmann::json>& result) {
  while (const auto frame = socket_.receive()) {
    const auto messages = wire::decode_from_coordinator(*frame);
    if (!messages) {
      result = tl::unexpected(messages.error());
      return true;
    }
    for (const wire::FromCoordinator& message : *messages) {
      if (const auto* rejected = std::get_if<wire::Rejected>(&message)) {
        result = fail(fmt::format("the coordinator at {} turns this client away: {}", endpoint_,
                                  rejected->reason));
        return true;
      }
      const auto* answer = std::get_if<wire::Answer>(&message);
      if (answer == nullptr || answer->request != number) continue;  // of an earlier question
      if (answer->error.empty()) {
        result = answer->document;
      } else {
        result = fail(answer->error);
      }
      return true;
    }
  }
  return false;
}

Result<nlohmann::json> Client::wait_for_answer(const wire::ToCoordinator& request,
                                               std::int64_t number) {
  const auto frames = wire::encode(std::span(&request, 1));
  if (!frames) return tl::unexpected(frames.error());
  const auto deadline = Clock::now() + patience_;
  Result<nlohmann::json> result;
  sent_ = answered_ = false;
  while (Clock::now() < deadline) {
    if (const auto connections = socket_.connections(); connections != connections_) {
      connections_ = connections;
      sent_ = false;
    }
    if (!sent_) send(*frames);
    answered_ = take_answer(number, result);
    if (answered_) return result;
    if (interrupted_ && interrupted_())
      return fail(fmt::format("stopped before the coordinator at {} had answered", endpoint_));
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    socket_.wait({}, std::clamp(left, milliseconds{0}, kLongestWait));
  }
  const auto refusal = socket_.refusal();
  return fail(fmt::format("no coordinator answers at {} within {} s{}", endpoint_,
                          std::chrono::duration<double>(patience_).count(),
                          refusal ? ": " + *refusal : ""));
}

}  // namespace lrtune
