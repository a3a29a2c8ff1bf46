// A worker's end of the checkpoint channel: a thread and a socket of its own, so that neither the
// coordinator's messages nor training wait for checkpoints that travel.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/wire/security/key_folder.h"
#include "worker/checkpoint_channel/service_connection.h"
#include "worker/checkpoints/checkpoint_folder.h"
#include "worker/checkpoints/remote_checkpoints.h"

namespace lrtune {

struct CheckpointClientOptions {
  std::string endpoint;                               // of the service, "tcp://HOST:PORT"
  std::optional<wire::ClientSecurity> security = {};  // none: loopback only
  ServicePatience patience = {};
  // After a failure nobody waits for the service until so much later.
  std::chrono::milliseconds pause_after_failure{30'000};
  // The service hears that often which states are used here (service.h, kForgetAfter).
  std::chrono::milliseconds say_used_every{60'000};
  std::function<void(const std::string&)> log = [](const std::string&) {};  // any thread
};

// `folder`: where checkpoints come from and go to; it outlives the client. Its destructor waits
// a little for what is pushed, unless the service is away. Errors: the endpoint is not one,
// or is not loopback and there are no keys.
Result<std::unique_ptr<RemoteCheckpoints>> connect_checkpoint_client(
    CheckpointFolder& folder, CheckpointClientOptions options);

}  // namespace lrtune
