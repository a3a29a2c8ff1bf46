#include "coordinator/cli/export.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/planned_run.h"
#include "coordinator/cli/policy_argument.h"
#include "coordinator/cli/rate_rows.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/whole_file.h"
#include "coordinator/handout/handout.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostIterations = std::int64_t{1} << 53;

struct ExportOptions {
  std::string policy;
  std::string format;
  std::string store = "lrtune.db";
  std::int64_t iterations = 0;  // 0: not given
  std::string experiment;
  std::string output;
};

const std::map<std::string, HandoutFormat> kCode = {{"pytorch", HandoutFormat::kPytorch},
                                                    {"keras", HandoutFormat::kKeras},
                                                    {"optax", HandoutFormat::kOptax},
                                                    {"caffe", HandoutFormat::kCaffe}};

int bad_input(const std::string& message) {
  say("lrtune export: {}\n", message);
  return kExitBadInput;
}

// "17", unless a file is called so.
std::optional<std::int64_t> stored_id(const std::string& argument) {
  std::int64_t id = 0;
  const char* const end = argument.data() + argument.size();
  const auto [read, error] = std::from_chars(argument.data(), end, id);
  std::error_code none;
  if (error != std::errc() || read != end || std::filesystem::exists(argument, none)) return {};
  return id;
}

Result<Policy> policy_of(const ExportOptions& options, const PolicyContext& context) {
  const auto id = stored_id(options.policy);
  if (!id) return policy_from_argument(options.policy, context);
  const auto queries = PolicyQueries::open(options.store);
  if (!queries) return tl::unexpected(queries.error());
  auto entries = queries->policy(*id, RankAt::kBest);
  if (!entries) return tl::unexpected(entries.error());
  return entries->front().policy;
}

// Which option says what the reader of policies misses.
std::string hint(const std::string& message) {
  if (message.find("not known here") == std::string::npos) return {};
  if (message.find("in epochs") != std::string::npos) return ", or say --experiment FILE";
  return "; --iterations N or --experiment FILE says it";
}

Result<std::string> text_of(const ExportOptions& options, const Policy& policy,
                            std::optional<std::int64_t> iterations) {
  if (policy.reactive()) {
    return fail(
        "the rates of a reactive policy show when a run applies them; `lrtune policies show` "
        "names the schedule that a run realised, which can be exported");
  }
  if (const auto code = kCode.find(options.format); code != kCode.end())
    return hand_out(policy, code->second, iterations);
  if (!iterations && policy.segments.back().until != kNoEnd)
    iterations = policy.segments.back().until;
  if (!iterations) return fail("the policy has no end; say --iterations N or --experiment FILE");
  std::string text;
  const TextSink sink = [&](std::string_view piece) {
    text += piece;
    return true;
  };
  options.format == "csv" ? write_csv(policy, *iterations, sink)
                          : write_json(policy, *iterations, sink);
  return text;
}

int export_policy(const ExportOptions& options) {
  PolicyContext context;
  context.evaluate_every = 1;  // a reactive policy is refused, whatever it says
  if (!options.experiment.empty()) {
    const auto run = planned_run(options.experiment);
    if (!run) return bad_input(run.error().message);
    context = run->context;
  }
  if (options.iterations > 0) context.run_iterations = options.iterations;
  const auto policy = policy_of(options, context);
  if (!policy) return bad_input(policy.error().message + hint(policy.error().message));
  const auto text = text_of(options, *policy, context.run_iterations);
  if (!text) return bad_input(text.error().message);
  if (options.output.empty()) return write_data(*text) ? kExitDone : kExitFailure;
  if (const auto written = write_whole_file(options.output, *text); !written) {
    say("lrtune export: {}\n", written.error().message);
    return kExitFailure;
  }
  return kExitDone;
}

}  // namespace

void add_export_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command =
      app.add_subcommand("export", "Writes a policy as code or data for another framework");
  command
      ->add_option("POLICY", options->policy,
                   "A file in YAML or JSON, '-' for standard input, the text itself, or the number "
                   "of a policy in the store")
      ->required();
  std::vector<std::string> formats{"csv", "json"};
  for (const auto& [name, format] : kCode) formats.push_back(name);
  command->add_option("--format", options->format, "What to write")
      ->required()
      ->check(CLI::Validator(CLI::IsMember(formats)).description(""))
      ->type_name("pytorch|keras|optax|caffe|csv|json");
  command->add_option("--store", options->store, "The policy store, for a number")
      ->type_name("FILE")
      ->capture_default_str();
  CLI::Option* iterations =
      command
          ->add_option(
              "--iterations", options->iterations,
              "Length of the run: rows of csv and json, Caffe's max_iter, poly's default l")
          ->type_name("N")
          ->check(CLI::Range(std::int64_t{1}, kMostIterations));
  command
      ->add_option("--experiment", options->experiment,
                   "Take the length and what an epoch is from this experiment")
      ->type_name("FILE")
      ->excludes(iterations);
  command->add_option("--output", options->output, "Write to this file, not to standard output")
      ->type_name("FILE");
  command->footer(
      "Example: lrtune export '{function: sin2, k0: 0.01, k1: 0.06, l: 2000}' --format pytorch "
      "--output schedule.py");
  command->callback([options, &exit_code] { exit_code = export_policy(*options); });
}

}  // namespace lrtune
