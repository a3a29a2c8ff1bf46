#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace lrtune {
namespace {

using std::chrono::milliseconds;

bool wait_readable(int socket, milliseconds patience) {
  pollfd one{.fd = socket, .events = POLLIN, .revents = 0};
  return poll(&one, 1, static_cast<int>(patience.count())) > 0;
}

}  // namespace

TcpClient::TcpClient(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(socket_);
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
  }
}

TcpClient::~TcpClient() { close(socket_); }

bool TcpClient::send(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const auto count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

std::string TcpClient::read_all(std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  std::string all;
  char part[4096];
  while (true) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !wait_readable(socket_, left)) {
      throw std::runtime_error("the server keeps the connection open; it sent: " + all);
    }
    const auto count = recv(socket_, part, sizeof part, 0);
    if (count <= 0) return all;
    all.append(part, static_cast<std::size_t>(count));
  }
}

bool TcpClient::readable_within(milliseconds patience) { return wait_readable(socket_, patience); }

HttpReply parse_reply(const std::string& bytes) {
  HttpReply reply;
  const auto end = bytes.find("\r\n\r\n");
  if (!bytes.starts_with("HTTP/1.1 ") || end == std::string::npos) {
    throw std::runtime_error("this is no answer of HTTP/1.1: '" + bytes + "'");
  }
  reply.status = std::stoi(bytes.substr(9, 3));
  reply.head = bytes.substr(0, end);
  reply.body = bytes.substr(end + 4);
  return reply;
}

HttpReply http_get(std::uint16_t port, const std::string& target) {
  TcpClient client(port);
  client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return parse_reply(client.read_all());
}

}  // namespace lrtune
