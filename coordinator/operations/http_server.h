// A small HTTP/1.1 server for machines that ask for one page: GET alone, one request a connection,
// bounded in all that a client can make it keep.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/result.h"
#include "coordinator/operations/listen_address.h"

namespace lrtune {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpServerOptions {
  std::size_t request_bytes = 8192;  // request line and headers; a longer one is refused with 431
  // For a request to arrive whole, and again for its answer to be read; then the connection ends.
  std::chrono::milliseconds patience{5000};
  int most_connections = 16;  // more wait, unanswered, until one has ended
  // While as many are there as may be, the oldest is cut after so long: whoever connects and says
  // nothing keeps nobody else out.
  std::chrono::milliseconds patience_when_full{200};
};

class HttpServer {
 public:
  // Says what `path` (without a query) has to show; called on the server's thread. What it throws
  // becomes 500.
  using Page = std::function<HttpAnswer(const std::string& path)>;

  // Errors, one sentence: the address is taken, not this machine's, or not allowed.
  static Result<std::unique_ptr<HttpServer>> listen(const ListenAddress& address,
                                                    const HttpServerOptions& options, Page page);
  ~HttpServer();  // connections are cut, and the thread has ended

  const ListenAddress& address() const;  // with the real port

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lrtune
