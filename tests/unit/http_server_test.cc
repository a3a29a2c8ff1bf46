#include "coordinator/operations/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/http_client.h"

namespace lrtune {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;

HttpAnswer page(const std::string& path) {
  if (path == "/hello") return {.body = "hello\n"};
  if (path == "/broken") throw std::runtime_error("the page is broken");
  if (path == "/large") return {.body = std::string(32 << 20, 'x')};
  return {.status = 404, .body = "nothing is at " + path + '\n'};
}

std::unique_ptr<HttpServer> serve(const HttpServerOptions& options = {}) {
  return HttpServer::listen({"127.0.0.1", 0}, options, page).value();
}

TEST(HttpServer, ShowsAPageAndClosesTheConnection) {
  const auto server = serve();
  const HttpReply reply = http_get(server->address().port, "/hello?x=1");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hello\n");
  EXPECT_THAT(reply.head, HasSubstr("Content-Type: text/plain; charset=utf-8"));
  EXPECT_THAT(reply.head, HasSubstr("Connection: close"));
}

TEST(HttpServer, WhatIsNotThereIsNotFound) {
  const auto server = serve();
  for (const char* target : {"/", "/nothing", "/hello/", "/../etc/passwd"}) {
    EXPECT_EQ(http_get(server->address().port, target).status, 404) << target;
  }
}

TEST(HttpServer, APageThatFailsIsAnError) {
  const auto server = serve();
  const HttpReply reply = http_get(server->address().port, "/broken");
  EXPECT_EQ(reply.status, 500);
  EXPECT_THAT(reply.body, HasSubstr("the page is broken"));
  EXPECT_EQ(http_get(server->address().port, "/hello").status, 200);
}

TEST(HttpServer, OnlyGetIsKnown) {
  const auto server = serve();
  for (const char* method : {"POST", "PUT", "DELETE", "HEAD", "OPTIONS"}) {
    TcpClient client(server->address().port);
    client.send(std::string(method) + " /hello HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    const HttpReply reply = parse_reply(client.read_all());
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_THAT(reply.head, HasSubstr("Allow: GET")) << method;
  }
}

TEST(HttpServer, WhatIsNoRequestIsRefused) {
  const auto server = serve();
  for (const std::string bytes :
       {"\x16\x03\x01\x02 TLS, perhaps\r\n\r\n", "GET /hello\r\n\r\n", "GET /hello HTTP/9\r\n\r\n",
        "GET /hello HTTP/1.1\r\nno colon\r\n\r\n"}) {
    TcpClient client(server->address().port);
    client.send(bytes);
    EXPECT_EQ(parse_reply(client.read_all()).status, 400) << bytes;
  }
}

TEST(HttpServer, ARequestCutAtAnyByteGetsNoAnswerAndDoesNoHarm) {
  const auto server = serve({.patience = milliseconds(20)});
  const std::string request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t length = 0; length < request.size(); ++length) {
    TcpClient client(server->address().port);
    client.send(request.substr(0, length));
    EXPECT_EQ(client.read_all(), "") << length;
  }
  EXPECT_EQ(http_get(server->address().port, "/hello").status, 200);
}

TEST(HttpServer, AnOversizedRequestIsRefusedWhetherItEndsOrNot) {
  const auto server = serve({.request_bytes = 1024});
  for (const std::size_t size : {2'000U, 200'000U}) {
    for (const char* end : {"\r\n\r\n", ""}) {
      TcpClient client(server->address().port);
      client.send("GET /hello HTTP/1.1\r\nX: " + std::string(size, 'x') + end);
      EXPECT_EQ(parse_reply(client.read_all()).status, 431) << size << end;
    }
  }
  TcpClient client(server->address().port);
  client.send("GET /" + std::string(5'000, 'x') + " HTTP/1.1\r\n\r\n");
  EXPECT_EQ(parse_reply(client.read_all()).status, 431);
}

TEST(HttpServer, ASlowClientIsCutOffHoweverItTrickles) {
  const auto server = serve({.patience = milliseconds(100)});
  TcpClient silent(server->address().port);
  TcpClient trickling(server->address().port);
  const auto began = std::chrono::steady_clock::now();
  std::size_t sent = 0;
  while (trickling.send("x") && !trickling.readable_within(milliseconds(5))) ++sent;
  EXPECT_GT(sent, 2U);
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(90));
}

TEST(HttpServer, AClientThatDoesNotReadItsAnswerIsCutOff) {
  const auto server = serve({.patience = milliseconds(100), .most_connections = 1});
  TcpClient deaf(server->address().port);
  deaf.send("GET /large HTTP/1.1\r\n\r\n");
  EXPECT_EQ(http_get(server->address().port, "/hello").status, 200);  // after the deaf one's end
}

TEST(HttpServer, MoreConnectionsThanAllowedWaitForTheirTurn) {
  const auto server = serve({.most_connections = 2, .patience_when_full = milliseconds(5000)});
  auto first = std::make_unique<TcpClient>(server->address().port);
  TcpClient second(server->address().port);
  TcpClient third(server->address().port);
  third.send("GET /hello HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(third.readable_within(milliseconds(200)));
  first.reset();
  EXPECT_EQ(parse_reply(third.read_all()).status, 200);
}

// Regression: as many silent clients as there may be made the health page late by their patience.
TEST(HttpServer, SilentClientsKeepNobodyElseOut) {
  const auto server = serve({.patience = std::chrono::hours(1),
                             .most_connections = 2,
                             .patience_when_full = milliseconds(20)});
  std::vector<std::unique_ptr<TcpClient>> silent;
  for (int i = 0; i < 6; ++i) silent.push_back(std::make_unique<TcpClient>(server->address().port));
  EXPECT_EQ(http_get(server->address().port, "/hello").status, 200);
  EXPECT_EQ(silent[0]->read_all(), "") << "the oldest was cut";
}

TEST(HttpServer, AnswersManyAtOnce) {
  const auto server = serve({.most_connections = 4});
  std::vector<std::jthread> clients;
  std::atomic<int> answered = 0;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        if (http_get(server->address().port, "/hello").status == 200) ++answered;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(answered, 200);
}

TEST(HttpServer, EndsWithConnectionsOpen) {
  auto server = serve();
  TcpClient client(server->address().port);
  client.send("GET /hel");
  server.reset();
  EXPECT_EQ(client.read_all(), "");
}

TEST(HttpServer, ATakenAddressIsOneClearError) {
  const auto server = serve();
  const auto second = HttpServer::listen(server->address(), {}, page);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message,
            "cannot serve metrics on 127.0.0.1:" + std::to_string(server->address().port) +
                ": Address already in use");
  const auto elsewhere = HttpServer::listen({"192.0.2.1", 9464}, {}, page);
  ASSERT_FALSE(elsewhere);
  EXPECT_THAT(elsewhere.error().message, EndsWith("Cannot assign requested address"));
}

TEST(ListenAddress, IsAnIpAddressAndAPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:9464")->port, 9464);
  EXPECT_EQ(parse_listen_address("[::1]:0")->address, "::1");
  EXPECT_EQ(to_text(*parse_listen_address("[::1]:9464")), "[::1]:9464");
  EXPECT_EQ(to_text(*parse_listen_address("0.0.0.0:80")), "0.0.0.0:80");
}

TEST(ListenAddress, AnythingElseIsAnErrorThatSaysWhatIsAllowed) {
  for (const char* text : {"", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                           "127.0.0.1:70000", "127.0.0.1:-1", "127.0.0.1: 1", "localhost:9464",
                           "::1:9464", "[127.0.0.1]:9464", "[::1]"}) {
    const auto parsed = parse_listen_address(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("for example 127.0.0.1:9464")) << text;
  }
}

}  // namespace
}  // namespace lrtune
