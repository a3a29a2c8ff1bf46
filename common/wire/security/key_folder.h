// The folder of keys that `lrtune keygen` makes and --keys names:
//
//   coordinator.public  .secret   whom workers and clients reach
//   checkpoints.public  .secret   the checkpoint service, which need not be on the same machine
//   worker.public       .secret   a worker's
//   client.public       .secret   a client's
//   allowed/workers/NAME.public   whose keys are admitted; the allow-list
//   allowed/clients/NAME.public
//   workers/NAME/, clients/NAME/  folders to copy to other machines, each with its own pair
//
// Each program reads what it needs of it: a worker coordinator.public (checkpoints.public too if it
// uses the service) and worker.{public,secret}; a client coordinator.public and
// client.{public,secret}; a server its own pair and allowed/.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/wire/security/key_files.h"
#include "common/wire/security/peer_role.h"

namespace lrtune::wire {

inline constexpr std::string_view kCoordinatorKey = "coordinator";
inline constexpr std::string_view kCheckpointsKey = "checkpoints";

// What a listening socket needs.
struct ServerSecurity {
  KeyPair keys;
  std::filesystem::path allowed;  // read again while the socket lives
  // One line about who was refused or dropped, at most one a second and cause. Called by the
  // socket's thread and by one of its own.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

// What a connecting socket needs.
struct ClientSecurity {
  std::string server_key;  // Z85: who does not have its secret is not the server
  KeyPair keys;
};

// Errors name the file: missing, no key, not a pair, open to others; the allow-list's folders too.
Result<ServerSecurity> load_server_keys(const std::filesystem::path& folder,
                                        std::string_view server = kCoordinatorKey);
// `role` is kWorker or kClient.
Result<ClientSecurity> load_client_keys(const std::filesystem::path& folder, PeerRole role,
                                        std::string_view server = kCoordinatorKey);

// A name of a key: 1 to 64 of A-Z a-z 0-9 . _ - and first a letter or digit.
bool is_key_name(std::string_view name);

// Makes the folder with all that stands above but workers/ and clients/. Errors: a file of it is
// there already; nothing is made then.
Result<void> make_key_folder(const std::filesystem::path& folder);

// One more key, admitted at once, also by a server that runs. Returns the folder to copy to its
// machine: FOLDER/workers/NAME or FOLDER/clients/NAME. Errors: the name is bad or taken, or FOLDER
// was not made by make_key_folder.
Result<std::filesystem::path> add_key(const std::filesystem::path& folder, PeerRole role,
                                      const std::string& name);

// Where the public keys of `role` are inside of `allowed`.
std::filesystem::path allowed_folder(const std::filesystem::path& allowed, PeerRole role);

}  // namespace lrtune::wire
