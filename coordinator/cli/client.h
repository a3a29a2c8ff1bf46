// A person's side of the wire: questions to a coordinator and its answers (PROTOCOL.md, Clients).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"
#include "common/wire/messages.h"
#include "common/wire/transport.h"

namespace lrtune {

// What every client command takes.
struct ClientOptions {
  std::string coordinator;  // tcp://HOST:PORT; empty: $LRTUNE_COORDINATOR
  std::string keys;         // folder; empty: $LRTUNE_KEYS; if that is not set: none
  double patience = 10;     // seconds without an answer until it gives up
};

// One thread.
class Client {
 public:
  // Errors: no coordinator is named; its endpoint is none, or not loopback and there are no keys;
  // the keys cannot be read.
  static Result<Client> connect(const ClientOptions& options);

  // Asks, again after each connection that is made anew, until the answer is there: every question
  // may be asked twice. Gives the answer's document. Errors: the coordinator's own; it does not
  // answer in time, or turns the client away.
  template <typename Request>
  Result<nlohmann::json> ask(Request request) {
    request.request = ++last_request_;
    return wait_for_answer(request, request.request);
  }

  // Asked a few times a second while a question waits: true ends the wait with an error.
  void give_up_when(std::function<bool()> interrupted) { interrupted_ = std::move(interrupted); }

  // Whether the coordinator itself has spoken to the last question, if only to refuse it.
  bool was_answered() const { return answered_; }
  const std::string& endpoint() const { return endpoint_; }

 private:
  Client(wire::DealerSocket socket, std::string endpoint, std::chrono::milliseconds patience)
      : socket_(std::move(socket)), endpoint_(std::move(endpoint)), patience_(patience) {}
  Result<nlohmann::json> wait_for_answer(const wire::ToCoordinator& request, std::int64_t number);
  void send(const std::vector<wire::Frame>& frames);
  // Whether the request was answered by what has arrived: `result` has the answer then.
  bool take_answer(std::int64_t number, Result<nlohmann::json>& result);

  wire::DealerSocket socket_;
  std::string endpoint_;
  std::chrono::milliseconds patience_;
  std::int64_t last_request_ = 0;
  std::uint64_t connections_ = 0;
  bool sent_ = false;  // over the present connection
  bool answered_ = false;
  std::function<bool()> interrupted_;
};

}  // namespace lrtune
