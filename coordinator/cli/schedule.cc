#include "coordinator/cli/schedule.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/policy/policy.h"
#include "common/policy/policy_json.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/policy_argument.h"
#include "coordinator/cli/rate_rows.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/plot/chart.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostIterations = std::int64_t{1} << 53;

struct ScheduleOptions {
  std::string policy;
  std::vector<std::int64_t> at;
  std::int64_t iterations = 0;  // 0: not given
  std::string plot;
  bool log = false;
  bool quiet = false;
  bool json = false;
  double epoch_samples = 0;  // 0: not given
  std::int64_t batch = 0;
};

bool write_to_standard_output(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      say("lrtune schedule: cannot write to standard output: {}\n", std::strerror(errno));
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Of many iterations, each of these pieces gives its first, lowest, highest and last one. Beyond
// kMostInPiece iterations a piece, so many of them spread over it stand for all.
constexpr std::int64_t kPlotPieces = 4096;
constexpr std::int64_t kMostInPiece = 2048;

void add_piece(Series& series, std::int64_t first, std::int64_t step,
               const std::vector<double>& rates) {
  const auto [lowest, highest] = std::minmax_element(rates.begin(), rates.end());
  std::vector<std::ptrdiff_t> kept{0, lowest - rates.begin(), highest - rates.begin(),
                                   static_cast<std::ptrdiff_t>(rates.size()) - 1};
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  for (const std::ptrdiff_t i : kept) {
    series.x.push_back(static_cast<double>(first + i * step));
    series.y.push_back(rates[static_cast<std::size_t>(i)]);
  }
}

Series series_of_all(const Policy& policy, std::int64_t iterations) {
  Series series;
  const std::int64_t piece = 1 + (iterations - 1) / kPlotPieces;
  const std::int64_t step = 1 + (piece - 1) / kMostInPiece;
  std::vector<double> rates;
  for (std::int64_t first = 0; first < iterations; first += piece) {
    const std::int64_t past = std::min(piece, iterations - first);
    rates.resize(static_cast<std::size_t>(1 + (past - 1) / step));
    if (step == 1) {
      learning_rates(policy, first, rates);
    } else {
      std::int64_t t = first;
      for (double& rate : rates) rate = learning_rate(policy, std::exchange(t, t + step));
    }
    add_piece(series, first, step, rates);
  }
  return series;
}

Series series_at(const Policy& policy, std::vector<std::int64_t> at) {
  Series series;
  std::sort(at.begin(), at.end());
  for (const std::int64_t t : at) {
    series.x.push_back(static_cast<double>(t));
    series.y.push_back(learning_rate(policy, t));
  }
  return series;
}

bool write_plot(const ScheduleOptions& options, const Policy& policy, std::int64_t iterations) {
  Chart chart{.title = describe(policy),
              .x_label = "iteration",
              .y_label = "learning rate",
              .log_y = options.log,
              .series = {options.at.empty() ? series_of_all(policy, iterations)
                                            : series_at(policy, options.at)}};
  errno = 0;
  std::ofstream file(options.plot, std::ios::binary);
  file << to_svg(chart);
  file.close();
  if (file) return true;
  say("lrtune schedule: cannot write the plot to {}: {}\n", options.plot, std::strerror(errno));
  return false;
}

bool write_rates(const ScheduleOptions& options, const Policy& policy, std::int64_t iterations) {
  if (options.quiet) return true;
  std::fflush(stdout);
  const TextSink sink = write_to_standard_output;
  if (!options.at.empty()) {
    return options.json ? write_json(policy, options.at, sink)
                        : write_csv(policy, options.at, sink);
  }
  return options.json ? write_json(policy, iterations, sink) : write_csv(policy, iterations, sink);
}

int bad_input(const std::string& message) {
  say("lrtune schedule: {}\n", message);
  return kExitBadInput;
}

// Which option says what the reader of policies misses.
std::string hint(const ScheduleOptions& options, const std::string& message) {
  if (message.find("not known here") == std::string::npos) return {};
  if (message.find("in epochs") != std::string::npos) return ", or say --epoch-samples and --batch";
  return options.at.empty() ? "; --iterations N says it" : "; with --at the policy itself says it";
}

int schedule(const ScheduleOptions& options) {
  PolicyContext context;
  if (options.iterations > 0) context.run_iterations = options.iterations;
  context.evaluate_every = 1;  // a reactive policy is refused below, whatever it says
  if (options.batch > 0) {
    context.samples_per_epoch = options.epoch_samples;
    context.batch = options.batch;
  }
  const Result<Policy> policy = policy_from_argument(options.policy, context);
  if (!policy) return bad_input(policy.error().message + hint(options, policy.error().message));
  if (policy->reactive()) {
    return bad_input(
        "the rates of a reactive policy show when a run applies them; `lrtune policies show ID` "
        "prints the schedule that a run realised, which is a policy for this command");
  }
  std::int64_t iterations = options.iterations;
  if (options.at.empty() && iterations == 0) {
    iterations = policy->segments.back().until;
    if (iterations == kNoEnd) {
      return bad_input("the policy has no end; say --iterations N or --at T,T,...");
    }
  }
  if (!options.plot.empty() && !write_plot(options, *policy, iterations)) return kExitFailure;
  return write_rates(options, *policy, iterations) ? kExitDone : kExitFailure;
}

}  // namespace

void add_schedule_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ScheduleOptions>();
  CLI::App* command = app.add_subcommand(
      "schedule", "Prints the learning rates of a policy as CSV (t,lr), and plots them");
  command
      ->add_option("POLICY", options->policy,
                   "A file in YAML or JSON, '-' for standard input, or the text itself")
      ->required();
  CLI::Option* at =
      command->add_option("--at", options->at, "The iterations to print, such as 0,1000,2000")
          ->delimiter(',')
          ->check(CLI::Range(std::int64_t{0}, kMostIterations));
  command
      ->add_option("--iterations", options->iterations,
                   "Print iterations 0 to N-1; also poly's default l")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, kMostIterations))
      ->excludes(at);
  CLI::Option* plot =
      command
          ->add_option(
              "--plot", options->plot,
              "Write a chart in SVG to this file, of evenly spread samples above 8,388,608 "
              "iterations")
          ->type_name("FILE");
  command->add_flag("--log", options->log, "The chart has a logarithmic axis of rates")
      ->needs(plot);
  command->add_flag("--quiet,-q", options->quiet, "Print no rates, only make the chart")
      ->needs(plot);
  command->add_flag("--json", options->json, "Print JSON: the policy, t and lr");
  CLI::Option* samples = command
                             ->add_option("--epoch-samples", options->epoch_samples,
                                          "Training samples of an epoch, for lengths in epochs")
                             ->check(number_between(1.0, 0x1p53))
                             ->type_name("N");
  CLI::Option* batch =
      command
          ->add_option("--batch", options->batch, "Samples of an iteration, for lengths in epochs")
          ->check(CLI::Range(std::int64_t{1}, kMostIterations))
          ->type_name("N");
  samples->needs(batch);
  batch->needs(samples);
  command->footer(
      "A rate has the fewest digits, 17 at most, that read back as the same double.\n"
      "Example: lrtune schedule '{function: sin2, k0: 0.01, k1: 0.06, l: 2000}' --iterations 10000 "
      "--plot sin2.svg");
  command->callback([options, &exit_code] { exit_code = schedule(*options); });
}

}  // namespace lrtune
