#include "coordinator/cli/store.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"

namespace lrtune {
namespace {

struct StoreOptions {
  std::string store = "lrtune.db";
  std::string target;
};

int complain(const char* command, const Error& error) {
  say("lrtune store {}: {}\n", command, error.message);
  return kExitBadInput;
}

int check(const StoreOptions& options) {
  const auto found = check_store(options.store);
  if (!found) return complain("check", found.error());
  if (!write_data(check_text(options.store, *found))) return kExitFailure;
  return found->faults.empty() ? kExitDone : kExitFailure;
}

int back_up(const StoreOptions& options) {
  const auto found = back_up_store(options.store, options.target);
  if (!found) return complain("backup", found.error());
  return write_data(check_text(options.target, *found)) ? kExitDone : kExitFailure;
}

int bring_up(const StoreOptions& options) {
  const auto done = migrate_store(options.store);
  if (!done) return complain("migrate", done.error());
  std::string text =
      done->from == done->to
          ? fmt::format("{} has schema {} already\n", options.store, done->to)
          : fmt::format("{} was brought from schema {} to {}; {}.schema{}.backup is the old one\n",
                        options.store, done->from, done->to, done->file, done->from);
  if (!done->mended.empty()) text += done->mended + '\n';
  return write_data(text) ? kExitDone : kExitFailure;
}

}  // namespace

std::string check_text(const std::string& path, const StoreCheck& check) {
  std::string text = fmt::format("{}: schema {}", path, check.schema);
  for (const auto& [table, rows] : check.rows) {
    if (table != "store") text += fmt::format(", {} {}", rows, table);
  }
  if (check.faults.empty()) return text + "; no fault found\n";
  text += fmt::format("; {} fault{}:\n", check.faults.size(), check.faults.size() == 1 ? "" : "s");
  for (const std::string& fault : check.faults) text += "  " + fault + '\n';
  return text;
}

void add_store_command(CLI::App& app, int& exit_code) {
  CLI::App* store = app.add_subcommand("store", "Checks, copies or migrates a policy store");
  store->require_subcommand(1);
  const auto options = std::make_shared<StoreOptions>();
  const auto add = [&](const char* name, const char* what, int (*act)(const StoreOptions&)) {
    CLI::App* command = store->add_subcommand(name, what);
    command->add_option("--store", options->store, "The policy store")
        ->type_name("FILE")
        ->capture_default_str();
    command->callback([options, act, &exit_code] { exit_code = act(*options); });
    return command;
  };
  add("check", "Looks for damage, also while a run writes; exit code 1 if there is some", check);
  add("backup", "Copies the store, checked, also while a run writes", back_up)
      ->add_option("TARGET", options->target, "The copy; it must not be there")
      ->required();
  add("migrate", "Brings the store to this program's schema and keeps the old one", bring_up);
}

}  // namespace lrtune
