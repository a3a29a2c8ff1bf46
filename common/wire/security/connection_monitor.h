// Tells of a ROUTER's connections that never came to be, or have ended: libzmq closes one whose
// peer sends too much at once, or no ZMTP, without a word.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <zmq.hpp>

#include "common/wire/security/rate_limited_log.h"

namespace lrtune::wire {

// Of the router's thread. At most one line a second of each kind (RateLimitedLog).
class ConnectionMonitor {
 public:
  using Log = std::function<void(const std::string&)>;  // one sentence
  // To be made before `router` is bound, and destroyed after it: libzmq's own thread waits for
  // whoever reads its events. Throws zmq::error_t.
  ConnectionMonitor(zmq::context_t& context, zmq::socket_t& router, Log refused, Log ended);

  zmq::socket_ref socket() { return events_; }  // to poll: readable if there is something to take
  void take_events();

 private:
  void take(zmq::message_t& event);

  zmq::socket_t events_;
  RateLimitedLog refused_;
  RateLimitedLog ended_;
  std::map<int, std::string> peers_;  // ADDRESS:PORT, by the connection's descriptor
};

}  // namespace lrtune::wire
