#include "coordinator/cli/listening.h"

#include "common/logfmt.h"
#include "common/wire/security/endpoint.h"
#include "common/wire/security/key_folder.h"

namespace lrtune {
namespace {

// A frame that is too long is refused where its sender is known, up to 256 KiB; 16 MiB at most wait
// for each peer either way.
constexpr wire::SocketLimits kCoordinatorSocket{.oversize = 4};

}  // namespace

Result<void> check_listening(const std::string& endpoint, const std::string& keys) {
  if (auto good = wire::check_endpoint("listen on", endpoint); !good) return good;
  if (keys.empty()) return wire::require_loopback("listen on", endpoint);
  if (auto loaded = wire::load_server_keys(keys); !loaded) return tl::unexpected(loaded.error());
  return {};
}

Result<wire::RouterSocket> listen(const std::string& endpoint, const std::string& keys,
                                  const std::shared_ptr<spdlog::logger>& log) {
  const auto tell_connection = [log](const std::string& text) {
    log->info(LogLine("connection").add("text", text).text());
  };
  if (keys.empty())
    return wire::RouterSocket::bind(endpoint, kCoordinatorSocket, std::nullopt, tell_connection);
  auto security = wire::load_server_keys(keys);
  if (!security) return tl::unexpected(security.error());
  security->log = [log](const std::string& text) {
    log->warn(LogLine("stranger").add("text", text).text());
  };
  auto socket = wire::RouterSocket::bind(endpoint, kCoordinatorSocket, *security, tell_connection);
  if (!socket) return socket;
  log->info(LogLine("stranger_proof")
                .add("text",
                     "two connections of this program's own are to be refused now: one with a new "
                     "key, one without encryption")
                .text());
  if (auto proof = socket->prove_strangers_refused(); !proof) return tl::unexpected(proof.error());
  return socket;
}

}  // namespace lrtune
