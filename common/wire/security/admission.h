// Whether a connected peer may still speak and be spoken to. libzmq cannot close one connection of
// a ROUTER, so one whose key is revoked stays open and is cut off here, for each message.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/wire/security/allow_list.h"
#include "common/wire/security/rate_limited_log.h"

namespace lrtune::wire {

// One thread, the socket's.
class Admission {
 public:
  explicit Admission(std::function<void(const std::string&)> log) : log_(std::move(log)) {}

  // Who sent a message of the connection `peer` (a ROUTER's identity) that was made with `key`;
  // null if it is to be dropped: the key is revoked, or the connection took another key's identity.
  const AdmittedPeer* sender(const std::string& peer, std::string_view key,
                             const AdmittedKeys& admitted);

  // Whether `peer` may get a message: it has been heard, and its key is still admitted.
  bool may_hear(const std::string& peer, const AdmittedKeys& admitted);

 private:
  std::string* key_of(const std::string& peer);
  void remember(const std::string& peer, std::string key);

  RateLimitedLog log_;
  // Keys by identity, of those heard lately: at most twice kGeneration, as identities come and go
  // and ZeroMQ does not say when. Who falls out is heard and answered again at its next message.
  static constexpr std::size_t kGeneration = 32'768;
  std::unordered_map<std::string, std::string> young_;
  std::unordered_map<std::string, std::string> old_;
};

}  // namespace lrtune::wire
