// A TCP client for tests of HTTP servers: it can be as slow and as wrong as a test wants. Every
// read has a deadline; past it std::runtime_error is thrown.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lrtune {

class TcpClient {
 public:
  explicit TcpClient(std::uint16_t port);  // of 127.0.0.1
  ~TcpClient();
  TcpClient(const TcpClient&) = delete;
  TcpClient& operator=(const TcpClient&) = delete;

  // As much of `bytes` as the server takes; false if it has closed the connection.
  bool send(const std::string& bytes);
  // Until the server closes the connection.
  std::string read_all(std::chrono::seconds deadline = std::chrono::seconds(20));
  // Whether anything, or the end, is there to be read within `patience`.
  bool readable_within(std::chrono::milliseconds patience);

 private:
  int socket_;
};

struct HttpReply {
  int status = 0;
  std::string head;  // status line and headers
  std::string body;
};

HttpReply parse_reply(const std::string& bytes);
HttpReply http_get(std::uint16_t port, const std::string& target);

}  // namespace lrtune
