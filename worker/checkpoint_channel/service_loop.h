// The checkpoint service's loop: the only thread that touches its socket, its clock and its state.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/result.h"
#include "common/wire/security/key_folder.h"
#include "worker/checkpoint_channel/service.h"

namespace lrtune {

class CheckpointServer {
 public:
  // Listens on `endpoint`, e.g. "tcp://*:5557". `folder` outlives it. With `security` only workers'
  // keys get in; who was refused goes to `log` too, from another thread. Errors: the address is
  // bad, taken, or not loopback without `security`; with it, a stranger is not refused.
  static Result<CheckpointServer> listen(
      const std::string& endpoint, CheckpointFolder& folder, const CheckpointService::Log& log,
      std::optional<wire::ServerSecurity> security = std::nullopt);
  CheckpointServer(CheckpointServer&&) noexcept;
  CheckpointServer& operator=(CheckpointServer&&) noexcept;
  ~CheckpointServer();

  const std::string& endpoint() const;  // with the real port

  // Serves until `stop`, a descriptor, becomes readable.
  void run(int stop);

 private:
  struct State;
  explicit CheckpointServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lrtune
