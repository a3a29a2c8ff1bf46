#include "coordinator/cli/policies_exchange.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/store/store_care.h"
#include "coordinator/store/store_merge.h"

namespace lrtune {
namespace {

struct ExchangeOptions {
  std::string store = "lrtune.db";
  std::string file;
};

int bad_input(const char* command, const Error& error) {
  say("lrtune policies {}: {}\n", command, error.message);
  return kExitBadInput;
}

int export_store(const ExchangeOptions& options) {
  const auto done = back_up_store(options.store, options.file);
  if (!done) return bad_input("export", done.error());
  std::string counts;
  for (const auto& [table, rows] : done->rows) {
    if (table == "campaign" || table == "policy" || table == "trial")
      counts += fmt::format(", {} {}", rows, table);
  }
  return write_data(fmt::format("{}: schema {}{}\n", options.file, done->schema, counts))
             ? kExitDone
             : kExitFailure;
}

int import_store(const ExchangeOptions& options) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto done = merge_store(options.file, options.store,
                                std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  if (!done) return bad_input("import", done.error());
  const std::string text = fmt::format(
      "{}: {} campaigns with {} trials; {} runs are new here, {} were here already; {} campaigns "
      "that both stores have stay as they are\n",
      options.file, done->campaigns, done->trials, done->runs, done->known_runs,
      done->known_campaigns);
  return write_data(text) ? kExitDone : kExitFailure;
}

}  // namespace

void add_exchange_commands(CLI::App& policies, int& exit_code) {
  const auto options = std::make_shared<ExchangeOptions>();
  const auto add = [&](const char* name, const char* what, int (*act)(const ExchangeOptions&),
                       const char* file) {
    CLI::App* command = policies.add_subcommand(name, what);
    command->add_option("FILE", options->file, file)->required();
    command->add_option("--store", options->store, "The policy store")
        ->type_name("FILE")
        ->capture_default_str();
    command->callback([options, act, &exit_code] { exit_code = act(*options); });
  };
  add("export", "Copies the whole store, checked, for another team", export_store,
      "The copy; it must not be there");
  add("import", "Takes in what another team's store has and this one has not", import_store,
      "The other store; it is not changed");
}

}  // namespace lrtune
