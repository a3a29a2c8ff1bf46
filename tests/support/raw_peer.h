// A peer that speaks bytes over TCP, not ZeroMQ.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>

namespace lrtune {

// Bytes of a peer that is no ZeroMQ, or an old or hostile one, over plain TCP.
class RawPeer {
 public:
  explicit RawPeer(const std::string& endpoint) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawPeer() { ::close(socket_); }
  bool connected() const { return connected_; }
  void say(std::string_view bytes) { ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // Reads until the other side closes; false at the deadline.
  bool closed_within(std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (true) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now())
              .count();
      pollfd polled{socket_, POLLIN, 0};
      if (left <= 0 || ::poll(&polled, 1, static_cast<int>(left)) <= 0) return false;
      char buffer[4096];
      if (::recv(socket_, buffer, sizeof buffer, 0) <= 0) return true;
    }
  }

 private:
  int socket_;
  bool connected_ = false;
};

// A greeting of ZMTP 3 with this mechanism.
inline std::string greeting(std::string mechanism) {
  mechanism.resize(20, '\0');
  return std::string("\xff\0\0\0\0\0\0\0\1\x7f\3\1", 12) + mechanism + std::string(32, '\0');
}

}  // namespace lrtune
