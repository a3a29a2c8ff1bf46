#include "common/wire/security/admission.h"

#include <fmt/format.h>

#include <utility>

namespace lrtune::wire {

std::string* Admission::key_of(const std::string& peer) {
  if (const auto found = young_.find(peer); found != young_.end()) return &found->second;
  const auto found = old_.find(peer);
  if (found == old_.end()) return nullptr;
  std::string key = std::move(found->second);
  old_.erase(found);
  remember(peer, std::move(key));
  return &young_.find(peer)->second;
}

void Admission::remember(const std::string& peer, std::string key) {
  if (young_.size() >= kGeneration) {
    old_ = std::move(young_);
    young_.clear();
  }
  young_.insert_or_assign(peer, std::move(key));
}

const AdmittedPeer* Admission::sender(const std::string& peer, std::string_view key,
                                      const AdmittedKeys& admitted) {
  const auto now = RateLimitedLog::Clock::now;
  const auto found = admitted.find(std::string(key));
  if (found == admitted.end()) {
    log_.say("revoked", "a message was dropped: its sender's key is revoked", now());
    return nullptr;
  }
  const std::string* known = key_of(peer);
  if (known == nullptr) {
    remember(peer, std::string(key));
  } else if (*known != key) {
    // Identities are random and secret, so this is no accident. Neither of the two is spoken to
    // until one of them speaks again.
    young_.erase(peer);
    log_.say("identity",
             fmt::format("a message of {} '{}' was dropped: it uses another key's identity",
                         name_of(found->second.role), found->second.name),
             now());
    return nullptr;
  }
  return &found->second;
}

bool Admission::may_hear(const std::string& peer, const AdmittedKeys& admitted) {
  const std::string* key = key_of(peer);
  return key != nullptr && admitted.contains(*key);
}

}  // namespace lrtune::wire
