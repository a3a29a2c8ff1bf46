#include "coordinator/cli/listening.h"

#include "common/logfmt.h"
#include "common/wire/security/key_folder.h"

namespace lrtune {

Result<wire::RouterSocket> listen(const std::string& endpoint, const std::string& keys,
                                  const std::shared_ptr<spdlog::logger>& log) {
  if (keys.empty()) return wire::RouterSocket::bind(endpoint);
  auto security = wire::load_server_keys(keys);
  if (!security) return tl::unexpected(security.error());
  security->log = [log](const std::string& text) {
    log->warn(LogLine("stranger").add("text", text).text());
  };
  auto socket = wire::RouterSocket::bind(endpoint, {}, *security);
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
