// What the commands that ask a coordinator share: their options, and the way from an answer to an
// exit code.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "coordinator/cli/client.h"

namespace lrtune {

struct ClientCommand {
  ClientOptions client;
  bool json = false;  // print the answer's document
};

// --coordinator, --patience and --json.
void add_client_options(CLI::App& command, ClientCommand& options);

// Says the error of a question on standard error: exit code 2, as what was asked for is not there
// or not allowed, or 1 if nobody answered.
int complain(const std::string& command, const Error& error, bool answered);

// Asks, and hands the answer to `show`, which gives the exit code. `command` is for errors.
template <typename Request, typename Show>
int ask_and_show(const std::string& command, const ClientCommand& options, const Request& request,
                 Show&& show) {
  auto client = Client::connect(options.client);
  if (!client) return complain(command, client.error(), true);
  const auto document = client->ask(request);
  if (!document) return complain(command, document.error(), client->was_answered());
  return show(*document);
}

// Prints the document as JSON, or `text`.
int print(const ClientCommand& options, const nlohmann::json& document, const std::string& text);

// Follows a campaign until it has ended, with live progress on standard error; then prints it. Exit
// code 0 if it is done, 1 if it failed or was cancelled, or nobody answers for a minute.
int watch_campaign(Client& client, const ClientCommand& options, const std::string& campaign);

}  // namespace lrtune
