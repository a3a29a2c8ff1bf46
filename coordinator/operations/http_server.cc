#include "coordinator/operations/http_server.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <exception>
#include <map>
#include <thread>
#include <utility>

namespace lrtune {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Response = http::response<http::string_body>;

constexpr std::chrono::milliseconds kAfterFailedAccept{100};  // no descriptor is free, for one
constexpr int kBacklog = 128;  // who waits to be accepted, if that is more than are served
constexpr std::size_t kMostDrained = 256 * 1024;  // bytes that are read to let a refusal arrive

HttpAnswer refusal(http::status status, std::string why) {
  return {static_cast<unsigned>(status), HttpAnswer{}.content_type, std::move(why) + '\n'};
}

bool is_bad_syntax(const error_code& error) {
  static const error_code kEnd = http::make_error_code(http::error::end_of_stream);
  return error && error.category() == kEnd.category() && error != kEnd &&
         error != http::error::partial_message;
}

// One connection: a request, its answer, the end.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const HttpServerOptions& options, const HttpServer::Page& page,
          std::function<void()> on_end)
      : stream_(std::move(socket)),
        buffer_(options.request_bytes),
        options_(options),
        page_(page),
        on_end_(std::move(on_end)) {
    parser_.header_limit(static_cast<std::uint32_t>(options.request_bytes));
  }
  ~Session() { on_end_(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Whatever it waits for ends now.
  void cut() { stream_.cancel(); }

  void start() {
    stream_.expires_after(options_.patience);  // for all of the request, however it is cut
    http::async_read_header(
        stream_, buffer_, parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->answer(error); });
  }

 private:
  void answer(error_code error) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return send(refusal(http::status::request_header_fields_too_large,
                          fmt::format("a request has at most {} bytes", options_.request_bytes)));
    }
    if (is_bad_syntax(error)) {
      return send(refusal(http::status::bad_request, "this is no HTTP request"));
    }
    if (error) return;  // it went away, or took too long
    const auto& request = parser_.get();
    if (request.method() != http::verb::get) {
      return send(refusal(http::status::method_not_allowed, "only GET is known here"));
    }
    const std::string target(request.target());
    send(show(target.substr(0, target.find('?'))));
  }

  HttpAnswer show(const std::string& path) const try {
    return page_(path);
  } catch (const std::exception& problem) {
    return refusal(http::status::internal_server_error, problem.what());
  }

  void send(HttpAnswer answer) {
    response_.result(answer.status);
    response_.version(11);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    if (response_.result() == http::status::method_not_allowed) {
      response_.set(http::field::allow, "GET");
    }
    response_.keep_alive(false);
    response_.body() = std::move(answer.body);
    response_.prepare_payload();
    stream_.expires_after(options_.patience);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (error) return;
                        error_code ignored;
                        self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                        self->drain();
                      });
  }

  // Closing while the client still sends would take the answer away from it.
  void drain() {
    if (drained_ > kMostDrained) return;
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(buffer_.max_size()),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              self->drained_ += bytes;
                              if (!error) self->drain();
                            });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request_parser<http::empty_body> parser_;
  Response response_;
  const HttpServerOptions& options_;
  const HttpServer::Page& page_;
  std::function<void()> on_end_;
  std::size_t drained_ = 0;
};

}  // namespace

struct HttpServer::Impl {
  struct Open {
    std::weak_ptr<Session> session;
    std::chrono::steady_clock::time_point since;
  };

  Impl(const HttpServerOptions& some_options, Page some_page)
      : options(some_options), page(std::move(some_page)) {}

  ~Impl() {
    closing = true;
    context.stop();
    if (thread.joinable()) thread.join();
  }

  void session_ended(std::uint64_t number) {
    sessions.erase(number);
    if (!closing && !accepting) accept_or_make_room();
  }

  Result<void> bind(const ListenAddress& wanted) {
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(wanted.address, error), wanted.port);
    if (!error) acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(std::max(kBacklog, options.most_connections), error);
    if (error) {
      return fail(fmt::format("cannot serve metrics on {}: {}", to_text(wanted), error.message()));
    }
    address = {wanted.address, acceptor.local_endpoint().port()};
    return {};
  }

  // The process's signals are for its other threads.
  void start() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    accept();
    thread = std::thread([this] { context.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void accept() {
    accepting = true;
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      accepting = false;
      if (error) return accept_later();
      const std::uint64_t number = next_number++;
      auto session = std::make_shared<Session>(std::move(socket), options, page,
                                               [this, number] { session_ended(number); });
      sessions.emplace(number, Open{session, std::chrono::steady_clock::now()});
      session->start();
      accept_or_make_room();
    });
  }

  void accept_or_make_room() {
    if (sessions.size() < static_cast<std::size_t>(options.most_connections)) return accept();
    const auto oldest = sessions.begin();
    room.expires_at(oldest->second.since + options.patience_when_full);
    room.async_wait([this, number = oldest->first](error_code error) {
      const auto found = sessions.find(number);
      if (error || accepting || found == sessions.end()) return;
      if (const auto session = found->second.session.lock()) session->cut();
    });
  }

  void accept_later() {
    retry.expires_after(kAfterFailedAccept);
    retry.async_wait([this](error_code error) {
      if (!error && !accepting) accept();
    });
  }

  const HttpServerOptions options;
  const Page page;
  ListenAddress address;
  // The members below belong to the thread, once it is there.
  std::uint64_t next_number = 0;
  std::map<std::uint64_t, Open> sessions;  // in the order of their coming
  bool accepting = false;
  std::atomic<bool> closing = false;
  asio::io_context context{1};  // destroyed before the above, with the sessions that it holds
  tcp::acceptor acceptor{context};
  asio::steady_timer retry{context};
  asio::steady_timer room{context};
  std::thread thread;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

const ListenAddress& HttpServer::address() const { return impl_->address; }

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const ListenAddress& address,
                                                       const HttpServerOptions& options,
                                                       Page page) {
  auto impl = std::make_unique<Impl>(options, std::move(page));
  if (auto bound = impl->bind(address); !bound) return tl::unexpected(bound.error());
  impl->start();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

}  // namespace lrtune
