// Metrics and health of a coordinator, over HTTP: GET /metrics, /healthz and /readyz.
//
//   auto operations = Operations::start({.listen = "127.0.0.1:9464", .store = "lrtune.db"});
//   runtime_options.observer = &(*operations)->observer();
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/result.h"
#include "coordinator/operations/health.h"
#include "coordinator/operations/http_server.h"
#include "coordinator/runtime_observer.h"

namespace lrtune {

struct OperationsOptions {
  std::string listen;   // ADDR:PORT
  std::string store;    // path of the policy store
  std::string version;  // of this program
  // A loop that has not turned for longer is dead to /healthz. A turn with a slow disk takes
  // seconds; a lease lasts 10 s and is extended after a stall.
  std::chrono::milliseconds longest_turn{30000};
  HttpServerOptions server;
  Health::Clock clock = std::chrono::steady_clock::now;
};

class Operations {
 public:
  // Begins to listen: at once alive, and not ready. Errors: `listen` is no address, or cannot be
  // listened on.
  static Result<std::unique_ptr<Operations>> start(const OperationsOptions& options);
  ~Operations();  // the server's thread has ended

  // For RuntimeOptions; must go after the runtime.
  RuntimeObserver& observer();
  // No new work is taken from now on: for what the loop does not know, such as a failed start.
  void stopping();

  const ListenAddress& address() const;  // with the real port

 private:
  struct Parts;
  explicit Operations(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace lrtune
