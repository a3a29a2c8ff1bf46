#include "coordinator/cli/keygen.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <memory>
#include <string>

#include "common/wire/security/key_folder.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"

namespace lrtune {
namespace {

constexpr const char* kFooter =
    "A machine that runs workers needs coordinator.public (checkpoints.public too if it uses the\n"
    "checkpoint service), worker.public and worker.secret, in a folder for --keys; one that gives\n"
    "orders needs coordinator.public, client.public and client.secret. --worker NAME and --client\n"
    "NAME make such a folder to copy, DIR/workers/NAME or DIR/clients/NAME, with a pair of its "
    "own.\n"
    "Never copy coordinator.secret.\n\n"
    "Who is admitted is the list of files in DIR/allowed/workers and DIR/allowed/clients, also\n"
    "while a coordinator runs: remove a file to revoke its key, put a .public file there to admit.";

struct KeygenOptions {
  std::string folder;
  std::string worker;
  std::string client;
};

int complain(const Error& error) {
  say("lrtune keygen: {}\n", error.message);
  return kExitBadInput;
}

int make_folder(const std::string& folder) {
  if (const auto made = wire::make_key_folder(folder); !made) return complain(made.error());
  const std::string text = fmt::format(
      "{0} has the keys of a coordinator, a checkpoint service, a worker and a client; all are "
      "admitted.\nOne more machine: lrtune keygen {0} --worker NAME\n",
      folder);
  return write_data(text) ? kExitDone : kExitFailure;
}

int add(const std::string& folder, wire::PeerRole role, const std::string& name) {
  const auto own = wire::add_key(folder, role, name);
  if (!own) return complain(own.error());
  const std::string text = fmt::format(
      "{} '{}' is admitted; copy {} to its machine, for --keys there\nTo revoke it: rm {}\n",
      wire::name_of(role), name, own->string(),
      (wire::allowed_folder(std::filesystem::path(folder) / "allowed", role) / (name + ".public"))
          .string());
  return write_data(text) ? kExitDone : kExitFailure;
}

int keygen(const KeygenOptions& options) {
  if (!options.worker.empty()) return add(options.folder, wire::PeerRole::kWorker, options.worker);
  if (!options.client.empty()) return add(options.folder, wire::PeerRole::kClient, options.client);
  return make_folder(options.folder);
}

}  // namespace

void add_keygen_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "keygen", "Makes the keys that let workers and clients on other machines in");
  const auto options = std::make_shared<KeygenOptions>();
  command->add_option("DIR", options->folder, "The folder of keys, for --keys")->required();
  auto* worker = command->add_option("--worker", options->worker,
                                     "One more worker's key, in a folder that has keys already");
  auto* client =
      command->add_option("--client", options->client, "One more client's key, likewise");
  const CLI::Validator named(
      [](const std::string& name) { return name.empty() ? "the name is empty" : std::string(); },
      "");
  worker->type_name("NAME")->check(named)->excludes(client);
  client->type_name("NAME")->check(named);
  command->footer(kFooter);
  command->callback([options, &exit_code] { exit_code = keygen(*options); });
}

}  // namespace lrtune
