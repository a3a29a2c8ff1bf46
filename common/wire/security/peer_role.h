// What a peer may do, by the key that it has shown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lrtune::wire {

enum class PeerRole : std::uint8_t {
  kUnauthenticated,  // a socket without keys, on loopback: nobody asked, so nothing is forbidden
  kWorker,           // trains; gives no orders
  kClient,           // gives orders; trains nothing
};

// "worker", "client", "unauthenticated"
constexpr std::string_view name_of(PeerRole role) {
  if (role == PeerRole::kWorker) return "worker";
  return role == PeerRole::kClient ? "client" : "unauthenticated";
}

// A key of the allow-list.
struct AdmittedPeer {
  PeerRole role = PeerRole::kUnauthenticated;
  std::string name;  // of its file, without .public
  bool operator==(const AdmittedPeer&) const = default;
};

}  // namespace lrtune::wire
