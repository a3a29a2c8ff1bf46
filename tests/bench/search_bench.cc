// How many iterations of training each search method needs to reach what random search reaches:
// every method proposes policies of a discrete space, and is answered from a table of all of them,
// which tests/bench/search_table.py made of real trials. Nothing is trained; the same arguments
// give the same figures.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <vector>

#include "common/config/campaign_size.h"
#include "common/random.h"
#include "coordinator/search/halving.h"
#include "coordinator/search/search.h"
#include "coordinator/search/tpe.h"

namespace lrtune {
namespace {

constexpr std::int64_t kEta = 3;

// What training a candidate would bring, by iteration.
struct Curve {
  std::vector<double> best;      // highest top-1 until each column
  std::int64_t diverged_at = 0;  // 0: it did not
};

struct Table {
  Experiment experiment;                       // a grid
  std::vector<std::int64_t> columns;           // iterations
  std::vector<Curve> curves;                   // by number of the candidate in the grid
  std::map<std::string, std::size_t> numbers;  // by policy

  std::size_t number_of(const nlohmann::json& policy) const { return numbers.at(policy.dump()); }
};

[[noreturn]] void stop(const std::string& reason) {
  std::cerr << "search_bench: " << reason << '\n';
  std::exit(2);
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) stop("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',') {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

Curve curve_of(const std::vector<std::string>& cells) {
  Curve curve;
  if (!cells.at(1).empty()) curve.diverged_at = std::stoll(cells[1]);
  double best = 0;
  for (std::size_t i = 2; i < cells.size() && !cells[i].empty(); ++i) {
    best = std::max(best, std::stod(cells[i]));
    curve.best.push_back(best);
  }
  return curve;
}

Table read_table(const std::string& experiment_path, const std::string& table_path) {
  auto experiment = experiment_from_yaml(text_of(experiment_path), experiment_path);
  if (!experiment) stop(experiment.error().message);
  Table table{.experiment = *std::move(experiment)};
  std::istringstream lines(text_of(table_path));
  std::string line;
  std::getline(lines, line);
  if (line != "# " + table.experiment.hash.hex()) {
    stop(fmt::format("{} was made with another experiment than {}: its hash is {}", table_path,
                     experiment_path, table.experiment.hash.hex()));
  }
  std::getline(lines, line);
  const auto head = cells_of(line);
  for (std::size_t i = 2; i < head.size(); ++i) table.columns.push_back(std::stoll(head[i]));
  while (std::getline(lines, line)) table.curves.push_back(curve_of(cells_of(line)));
  const std::int64_t count = candidate_count(table.experiment).value_or(0);
  if (count != std::ssize(table.curves)) stop(table_path + " has not as many rows as the grid");
  for (std::int64_t i = 0; i < count; ++i) {
    table.numbers[candidate_policy(table.experiment, i).dump()] = static_cast<std::size_t>(i);
  }
  return table;
}

// What has been trained in one repetition: what was trained once costs nothing again.
class Training {
 public:
  explicit Training(const Table& table) : table_(table), trained_(table.curves.size(), 0) {}

  // Top-1 of candidate `number` at `iterations`, a column of the table; none if it has diverged by
  // then.
  std::optional<double> train(std::size_t number, std::int64_t iterations) {
    const Curve& curve = table_.curves[number];
    const bool diverged = curve.diverged_at > 0 && curve.diverged_at <= iterations;
    const std::int64_t reached = diverged ? curve.diverged_at : iterations;
    cost_ += std::max<std::int64_t>(0, reached - trained_[number]);
    trained_[number] = std::max(trained_[number], reached);
    const auto columns =
        std::upper_bound(table_.columns.begin(), table_.columns.end(), iterations) -
        table_.columns.begin();
    const auto known = std::min<std::size_t>(static_cast<std::size_t>(columns), curve.best.size());
    if (known > 0) note(curve.best[known - 1]);
    if (diverged || known == 0) return std::nullopt;
    return curve.best[known - 1];
  }

  std::int64_t cost() const { return cost_; }
  double best() const { return best_; }
  // (iterations in all, best top-1 by then), ascending in both.
  const std::vector<std::pair<std::int64_t, double>>& progress() const { return progress_; }

 private:
  void note(double value) {
    if (value <= best_) return;
    best_ = value;
    progress_.emplace_back(cost_, value);
  }

  const Table& table_;
  std::vector<std::int64_t> trained_;
  std::int64_t cost_ = 0;
  double best_ = 0;
  std::vector<std::pair<std::int64_t, double>> progress_;
};

// A running piece of training, which ends at a time; time is counted in iterations of one slot.
struct Running {
  std::int64_t ends = 0;
  std::int64_t order = 0;
  std::function<void()> finish;
};

// `slots` workers of equal speed: next() gives the next piece of work, or none while it waits.
struct Work {
  std::int64_t iterations = 0;  // how long it takes
  std::function<void()> finish;
};

void simulate(int slots, const std::function<bool()>& enough,
              const std::function<std::optional<Work>()>& next) {
  std::vector<Running> running;
  std::int64_t now = 0;
  std::int64_t order = 0;
  while (!enough()) {
    while (std::ssize(running) < slots) {
      auto work = next();
      if (!work) break;
      running.push_back({now + work->iterations, order++, std::move(work->finish)});
    }
    if (running.empty()) return;
    const auto first = std::min_element(running.begin(), running.end(), [](auto& one, auto& other) {
      return std::pair(one.ends, one.order) < std::pair(other.ends, other.order);
    });
    now = first->ends;
    const auto finish = std::move(first->finish);
    running.erase(first);
    finish();
  }
}

struct Setting {
  const Table& table;
  std::uint64_t seed = 0;
  int slots = 1;
  double target = 0;
  std::int64_t budget = 0;  // iterations after which a repetition ends

  Experiment drawing(SearchMethod method) const {
    Experiment experiment = table.experiment;
    experiment.method = method;
    experiment.count = kMostCandidates;
    experiment.seed = seed;
    return experiment;
  }
  bool enough(const Training& training) const {
    return training.best() >= target || training.cost() >= budget;
  }
};

// Whole runs of candidate 0, 1, 2 ...
Training draw_search(const Setting& setting, SearchMethod method) {
  const Experiment experiment = setting.drawing(method);
  Training training(setting.table);
  std::int64_t number = 0;
  const std::int64_t length = setting.table.columns.back();
  simulate(
      setting.slots, [&] { return setting.enough(training); },
      [&]() -> std::optional<Work> {
        const auto which = setting.table.number_of(candidate_policy(experiment, number++));
        return Work{length, [&training, which, length] { training.train(which, length); }};
      });
  return training;
}

// One bracket after the other, each with candidates of its own.
template <typename Halving>
Training halving_search(const Setting& setting, SearchMethod inner, std::int64_t candidates) {
  const Experiment experiment = setting.drawing(inner);
  Training training(setting.table);
  const auto rungs =
      halving_rungs(setting.table.columns.front(), setting.table.columns.back(), kEta);
  for (std::int64_t bracket = 0; !setting.enough(training); ++bracket) {
    Halving halving({.candidates = candidates, .rungs = rungs, .eta = kEta});
    simulate(
        setting.slots, [&] { return setting.enough(training); },
        [&]() -> std::optional<Work> {
          HalvingAction action;
          if constexpr (std::is_same_v<Halving, AsynchronousHalving>) {
            action = halving.next().action;
          } else {
            action = halving.next();
          }
          if (action.kind == HalvingAction::Kind::kWait ||
              action.kind == HalvingAction::Kind::kDone) {
            return std::nullopt;
          }
          const auto which = setting.table.number_of(
              candidate_policy(experiment, bracket * candidates + action.candidate));
          const std::int64_t length =
              rungs[action.rung] - (action.rung == 0 ? 0 : rungs[action.rung - 1]);
          return Work{
              length, [&training, &halving, action, which, iterations = rungs[action.rung]] {
                halving.observe({action.candidate, action.rung, training.train(which, iterations)});
              }};
        });
  }
  return training;
}

Training tpe_search(const Setting& setting) {
  const Experiment experiment = setting.drawing(SearchMethod::kRandom);
  Training training(setting.table);
  std::vector<Observation> observed;
  std::vector<SearchPoint> pending;
  std::uint64_t number = 0;
  const std::int64_t length = setting.table.columns.back();
  simulate(
      setting.slots, [&] { return setting.enough(training); },
      [&]() -> std::optional<Work> {
        const SearchPoint point = tpe_proposal(experiment, observed, pending, number++).point;
        pending.push_back(point);
        const auto which = setting.table.number_of(candidate_at(experiment, point).policy);
        return Work{length, [&training, &observed, &pending, point, which, length] {
                      pending.erase(std::find(pending.begin(), pending.end(), point));
                      observed.push_back({point, training.train(which, length)});
                    }};
      });
  return training;
}

struct Method {
  std::string name;
  std::function<Training(const Setting&)> search;
};

std::vector<Method> methods() {
  return {
      {"random", [](const Setting& s) { return draw_search(s, SearchMethod::kRandom); }},
      {"Sobol", [](const Setting& s) { return draw_search(s, SearchMethod::kSobol); }},
      {"halving, random",
       [](const Setting& s) {
         return halving_search<SynchronousHalving>(s, SearchMethod::kRandom, 27);
       }},
      {"halving, Sobol",
       [](const Setting& s) {
         return halving_search<SynchronousHalving>(s, SearchMethod::kSobol, 27);
       }},
      {"ASHA, random",
       [](const Setting& s) {
         return halving_search<AsynchronousHalving>(s, SearchMethod::kRandom, 100'000);
       }},
      {"ASHA, Sobol",
       [](const Setting& s) {
         return halving_search<AsynchronousHalving>(s, SearchMethod::kSobol, 100'000);
       }},
      {"TPE", tpe_search},
  };
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The 2.5 and 97.5 % quantiles of mean(one) / mean(other) over draws of repetitions with
// replacement.
std::pair<double, double> bootstrap(const std::vector<double>& one,
                                    const std::vector<double>& other) {
  constexpr std::size_t kDraws = 2000;
  std::vector<double> ratios;
  for (std::size_t draw = 0; draw < kDraws; ++draw) {
    double sum = 0;
    double base = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      const auto pick = [&](std::uint64_t stream) {
        return random_bits("search bench", stream, draw, i) % one.size();
      };
      sum += one[pick(1)];
      base += other[pick(2)];
    }
    ratios.push_back(sum / base);
  }
  std::sort(ratios.begin(), ratios.end());
  return {ratios[kDraws / 40], ratios[kDraws - 1 - kDraws / 40]};
}

struct Options {
  std::string experiment = "experiments/search-benchmark.yaml";
  std::string table = "tests/fixtures/search-benchmark.csv";
  int repetitions = 200;
  int slots = 1;
  std::vector<int> trials = {10, 20, 40};
};

// Median over repetitions of the best top-1 that random search has after `trials` whole runs' worth
// of iterations.
double random_target(const Table& table, const Options& options, int trials) {
  std::vector<double> reached;
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    const Setting setting{table, 1'000'000 + static_cast<std::uint64_t>(repetition), options.slots,
                          2, trials * table.columns.back()};
    reached.push_back(draw_search(setting, SearchMethod::kRandom).best());
  }
  std::nth_element(reached.begin(), reached.begin() + options.repetitions / 2, reached.end());
  return reached[static_cast<std::size_t>(options.repetitions / 2)];
}

// Iterations until the target, by repetition.
std::vector<double> costs(const Table& table, const Options& options, const Method& method,
                          double target) {
  std::vector<double> result;
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    const std::int64_t everything = std::ssize(table.curves) * table.columns.back();
    const Setting setting{table, static_cast<std::uint64_t>(repetition), options.slots, target,
                          everything};
    const Training training = method.search(setting);
    const auto& progress = training.progress();
    const auto first = std::find_if(progress.begin(), progress.end(),
                                    [&](const auto& step) { return step.second >= target; });
    result.push_back(static_cast<double>(first == progress.end() ? training.cost() : first->first));
  }
  return result;
}

void report(const Table& table, const Options& options) {
  fmt::print("{} policies, runs of {} iterations, {} slots, {} repetitions\n", table.curves.size(),
             table.columns.back(), options.slots, options.repetitions);
  for (const int trials : options.trials) {
    const double target = random_target(table, options, trials);
    const auto better = std::count_if(
        table.curves.begin(), table.curves.end(),
        [&](const Curve& curve) { return !curve.best.empty() && curve.best.back() >= target; });
    fmt::print(
        "\ntop-1 {:.4f}: the median that random search reaches with {} iterations ({} runs); "
        "{} policies reach it\n",
        target, trials * table.columns.back(), trials, better);
    fmt::print("| method | iterations, mean | of random's | 95 % |\n| --- | --- | --- | --- |\n");
    std::vector<double> base;
    for (const Method& method : methods()) {
      const auto cost = costs(table, options, method, target);
      if (base.empty()) {  // random search itself comes first
        base = cost;
        fmt::print("| {} | {:.0f} | 1 | |\n", method.name, mean(cost));
        continue;
      }
      const auto [low, high] = bootstrap(cost, base);
      fmt::print("| {} | {:.0f} | {:.2f} | {:.2f} to {:.2f} |\n", method.name, mean(cost),
                 mean(cost) / mean(base), low, high);
    }
  }
}

}  // namespace
}  // namespace lrtune

int main(int argc, char** argv) {
  lrtune::Options options;
  CLI::App app("Iterations that each search method needs, on a table of real trials");
  app.add_option("--experiment", options.experiment, "The grid that was trained");
  app.add_option("--table", options.table, "What search_table.py made of it");
  app.add_option("--repetitions", options.repetitions)->check(CLI::Range(2, 100'000));
  app.add_option("--slots", options.slots, "Runs side by side")->check(CLI::Range(1, 1000));
  app.add_option("--trials", options.trials, "Whole runs of random search that set the accuracy");
  CLI11_PARSE(app, argc, argv);
  lrtune::report(lrtune::read_table(options.experiment, options.table), options);
}
