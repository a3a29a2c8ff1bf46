#include "coordinator/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "common/json_reader.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"

namespace lrtune {
namespace {

// "lrtune policies" for a nested command.
std::string full_name(const CLI::App* app) {
  return app->get_parent() == nullptr ? app->get_name()
                                      : full_name(app->get_parent()) + " " + app->get_name();
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string suggestion(const std::string& name, const std::vector<std::string>& known) {
  const std::optional<std::string> near = nearest_name(name, known);
  return near ? fmt::format("; did you mean '{}'?", *near) : std::string();
}

int bad_usage(const CLI::App& app, const std::string& message) {
  say("lrtune: {}\nTry '{} --help'.\n", message, full_name(&app));
  return kExitBadInput;
}

// CLI11 only says that a subcommand is missing where a name is misspelt; this names it and the
// nearest one. Gives the exit code, or none if all names are known.
std::optional<int> reject_unknown_command(const CLI::App& root, int argc, const char* const* argv) {
  const CLI::App* app = &root;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::vector<std::string> names = command_names(*app);
    if (names.empty() || word.empty() || word[0] == '-') return std::nullopt;
    const auto named = app->get_subcommands(
        [&word](const CLI::App* command) { return command->check_name(word); });
    if (named.empty()) {
      return bad_usage(*app, fmt::format("{} has no command '{}'{}", full_name(app), word,
                                         suggestion(word, names)));
    }
    app = named.front();
  }
  return std::nullopt;
}

// The command that was being parsed when an error came up: the deepest one that was named.
const CLI::App& parsed_command(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

std::string words_of(const CLI::ParseError& error, const CLI::App& app) {
  std::string text = error.what();
  if (app.remaining().empty()) return text;
  const std::string word = app.remaining().front();
  std::vector<std::string> options;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  return fmt::format("{} takes no '{}'{}", full_name(&app), word, suggestion(word, options));
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  CLI::App app(
      "Finds, verifies, keeps and hands out learning-rate policies for training deep networks.",
      "lrtune");
  app.set_version_flag("--version", "lrtune " LRTUNE_VERSION);
  app.set_help_flag("-h,--help", "Shows this help and exits");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 failure, 2 bad usage or input, 75 stopped and resumable.");
  int exit_code = kExitDone;
  add_commands(app, exit_code);

  if (argc < 2) {
    say("{}", app.help());
    return kExitBadInput;
  }
  if (const auto code = reject_unknown_command(app, argc, argv)) return *code;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const CLI::App& command = parsed_command(app);
    return bad_usage(command, words_of(error, command));
  }
  return exit_code;
}

}  // namespace lrtune
