// A client's connection to the checkpoint service: carries one transfer after the other over the
// socket, through silence and broken connections. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/result.h"
#include "common/wire/security/key_folder.h"
#include "common/wire/transport.h"
#include "worker/checkpoint_channel/transfers.h"

namespace lrtune {

struct ServicePatience {
  // No answer for so long: the transfer is started again where it was.
  std::chrono::milliseconds ask_again_after{2000};
  // No connection, and no byte of progress, for so long: the service is away.
  std::chrono::milliseconds absent_after{10'000};
  // The same with a connection: the service may be busy with the files of others.
  std::chrono::milliseconds silent_after{60'000};
};

class ServiceConnection {
 public:
  // Errors: the endpoint is not one, or is not loopback without `security`.
  static Result<ServiceConnection> connect(
      std::string endpoint, ServicePatience patience,
      const std::optional<wire::ClientSecurity>& security = std::nullopt);

  const std::string& endpoint() const { return endpoint_; }

  // Until the transfer is done, the service counts as away, or `stopped` says so, which is asked
  // ten times a second. Errors: the transfer's own; without transfer.done(): why it went no
  // further.
  Result<void> carry_out(Transfer& transfer, const std::function<bool()>& stopped);

  // False: there is no connection, or it takes no more. Nobody is told what was lost: a transfer
  // starts again after a silence.
  bool send(const ClientMessages& messages);

  // Whether there is another connection than when it was asked last: the service may be new.
  bool is_new();

  // Until something comes, `descriptor` is readable, or the time is over. Drops answers that nobody
  // waits for.
  void wait_idle(int descriptor, std::chrono::milliseconds time);

 private:
  ServiceConnection(std::string endpoint, ServicePatience patience, wire::DealerSocket socket)
      : endpoint_(std::move(endpoint)), patience_(patience), socket_(std::move(socket)) {}
  Result<bool> pass_answers_to(Transfer& transfer);

  std::string endpoint_;
  ServicePatience patience_;
  wire::DealerSocket socket_;
  std::uint64_t seen_connections_ = 0;
};

}  // namespace lrtune
