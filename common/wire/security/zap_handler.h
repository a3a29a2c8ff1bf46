// Who may connect to a ROUTER: ZeroMQ's authentication protocol (ZAP, RFC 27) answered out of an
// allow-list, in a thread of its own, which also follows the list's files.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <zmq.hpp>

#include "common/wire/security/allow_list.h"
#include "common/wire/security/key_folder.h"

namespace lrtune::wire {

class ZapHandler {
 public:
  // Sets `router`'s keys and begins to answer for all of `context`'s sockets, of which `router` is
  // the only one that is asked about. To be made before the router is bound. Destroy in the order
  // router, handler, context. Throws zmq::error_t.
  ZapHandler(zmq::context_t& context, zmq::socket_t& router, const ServerSecurity& security);
  ~ZapHandler();

  // By the text that a message of an admitted peer carries as its "User-Id": its public key in Z85.
  std::shared_ptr<const AdmittedKeys> keys() const { return allow_list_.keys(); }

 private:
  void run(const std::function<void(const std::string&)>& log);

  AllowList allow_list_;
  zmq::socket_t requests_;
  int stop_ = -1;
  std::thread thread_;
};

}  // namespace lrtune::wire
