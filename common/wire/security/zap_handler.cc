#include "common/wire/security/zap_handler.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "common/wire/security/rate_limited_log.h"

namespace lrtune::wire {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";
// With a domain ZeroMQ asks for every connection. It would let all in if nobody answered (that it
// should not is a draft option of libzmq 4.3.4), so the handler is there before the socket binds.
constexpr const char* kDomain = "lrtune";
// Where the file system does not tell of changes (AllowList::descriptor).
constexpr std::chrono::seconds kReadAgainAfter{5};
constexpr std::size_t kKeyBytes = 32;

void encrypt(zmq::socket_t& router, const KeyPair& keys) {
  router.set(zmq::sockopt::curve_server, true);
  router.set(zmq::sockopt::curve_publickey, keys.public_key);
  router.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  router.set(zmq::sockopt::zap_domain, kDomain);
}

struct Request {
  std::string version;
  std::string number;
  std::string address;
  std::string mechanism;
  std::string key;  // Z85; empty: the request has none
};

std::optional<Request> take_request(zmq::socket_t& requests) {
  std::vector<std::string> parts;
  zmq::message_t part;
  do {
    if (!requests.recv(part, zmq::recv_flags::dontwait)) return std::nullopt;
    parts.push_back(part.to_string());
  } while (part.more());
  parts.resize(std::max<std::size_t>(parts.size(), 7));
  Request request{parts[0], parts[1], parts[3], parts[5], {}};
  if (parts.size() == 7 && parts[6].size() == kKeyBytes) {
    std::array<char, 41> text{};
    zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(parts[6].data()), kKeyBytes);
    request.key = text.data();
  }
  return request;
}

void answer(zmq::socket_t& requests, const Request& request, bool admitted) {
  const std::string parts[] = {request.version,
                               request.number,
                               admitted ? "200" : "400",
                               admitted ? "OK" : "this key is not admitted",
                               admitted ? request.key : "",
                               ""};
  for (const std::string& part : parts) {
    const bool last = &part == std::end(parts) - 1;
    const auto more = last ? zmq::send_flags::none : zmq::send_flags::sndmore;
    requests.send(zmq::buffer(part), zmq::send_flags::dontwait | more);
  }
}

// A thread of this library must not take the signals that the program waits for.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

ZapHandler::ZapHandler(zmq::context_t& context, zmq::socket_t& router,
                       const ServerSecurity& security)
    : allow_list_(security.allowed, security.log),
      requests_(context, zmq::socket_type::rep),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  encrypt(router, security.keys);
  requests_.set(zmq::sockopt::linger, 0);
  requests_.bind(kZapEndpoint);
  const SignalsBlocked blocked;
  thread_ = std::thread([this, log = security.log] { run(log); });
}

ZapHandler::~ZapHandler() {
  eventfd_write(stop_, 1);
  thread_.join();
  close(stop_);
}

void ZapHandler::run(const std::function<void(const std::string&)>& write) {
  RateLimitedLog log(write);
  auto read_at = Clock::now() + kReadAgainAfter;
  std::vector<zmq::pollitem_t> items = {{requests_.handle(), 0, ZMQ_POLLIN, 0},
                                        {nullptr, stop_, ZMQ_POLLIN, 0}};
  if (allow_list_.descriptor() >= 0)
    items.push_back({nullptr, allow_list_.descriptor(), ZMQ_POLLIN, 0});
  while (true) {
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(read_at - Clock::now());
    zmq::poll(items, std::max(pause, std::chrono::milliseconds{0}));
    if (items[1].revents != 0) return;
    const bool told = items.size() > 2 && items[2].revents != 0;
    if (told) allow_list_.take_notices();
    if (told || Clock::now() >= read_at) {  // before an answer is made of it
      allow_list_.refresh();
      read_at = Clock::now() + kReadAgainAfter;
    }
    if (const auto request = take_request(requests_)) {
      const bool admitted = request->version == "1.0" && request->mechanism == "CURVE" &&
                            keys()->contains(request->key);
      if (!admitted) {
        log.say("key",
                fmt::format("a connection from {} was refused: its key is not admitted",
                            request->address),
                Clock::now());
      }
      answer(requests_, *request, admitted);
    }
  }
}

}  // namespace lrtune::wire
