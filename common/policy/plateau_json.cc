#include "common/policy/plateau_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/json_reader.h"
#include "common/policy/length.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostWindow = 1000;
constexpr std::int64_t kMostCooldown = 1'000'000'000;

const std::array<std::string, 1> kControllers = {"plateau"};
const std::array<std::string, 3> kMetrics = {"train_loss", "loss", "top1"};

double highest_rate(const LrFunction& function) { return std::max(function.k0, function.k1); }

Result<std::vector<LrFunction>> read_functions(const nlohmann::json& list, const std::string& path,
                                               const ReadFunction& read) {
  if (!list.is_array() || list.empty() || list.size() > kMostFunctions) {
    return fail(fmt::format("functions must be a list of 1 to {} LR functions, the highest rates "
                            "first",
                            kMostFunctions),
                path);
  }
  std::vector<LrFunction> functions;
  std::size_t boundaries = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto function = read(list[i], child_path(path, i));
    if (!function) return tl::unexpected(function.error());
    boundaries += function->boundaries.size();
    if (boundaries > kMostBoundariesOfFunctions) {
      return fail(fmt::format("the lists of nstep have more than {} iterations in all functions "
                              "together; so many are allowed",
                              kMostBoundariesOfFunctions),
                  child_path(path, i));
    }
    if (i > 0 && highest_rate(*function) > highest_rate(functions.back())) {
      return fail(fmt::format("functions must stand in descending order: the highest rate of this "
                              "one, {}, is above that of the one before it, {}",
                              highest_rate(*function), highest_rate(functions.back())),
                  child_path(path, i));
    }
    functions.push_back(*std::move(function));
  }
  return functions;
}

// An interval or length that the run says if the policy does not.
std::int64_t read_length_or(ObjectReader& reader, std::string_view key,
                            const PolicyContext& context,
                            const std::optional<std::int64_t>& fallback, const char* whose) {
  const nlohmann::json* value = reader.raw(key);
  if (value == nullptr) {
    if (fallback && *fallback >= 1) return *fallback;
    reader.error("", fmt::format("a reactive policy needs the key '{}', because the {} is not "
                                 "known here",
                                 key, whose));
    return 1;
  }
  auto length =
      read_length_from(*value, context, std::string(key), child_path(reader.path(), key), 1);
  if (length) return *length;
  reader.error(length.error());
  return 1;
}

void check_every(ObjectReader& reader, const Plateau& plateau, const PolicyContext& context) {
  if (!context.evaluate_every || *context.evaluate_every < 1) return;
  if (plateau.every % *context.evaluate_every == 0) return;
  reader.error("every", fmt::format("every of a reactive policy must be a multiple of the {} "
                                    "iterations between evaluations (run.evaluate.every), not {}",
                                    *context.evaluate_every, plateau.every));
}

}  // namespace

Result<Plateau> plateau_from_json(const nlohmann::json& json, const PolicyContext& context,
                                  const std::string& path, const ReadFunction& read) {
  ObjectReader reader(json, path, "reactive policy");
  reader.raw("name");
  reader.one_of("controller", kControllers);
  const nlohmann::json* list = reader.required_raw("functions");
  if (list == nullptr || reader.failed()) return tl::unexpected(*reader.finish());
  auto functions = read_functions(*list, child_path(path, "functions"), read);
  if (!functions) return tl::unexpected(functions.error());
  Plateau plateau;
  plateau.functions = *std::move(functions);
  const auto last = static_cast<std::int64_t>(plateau.functions.size()) - 1;
  plateau.start = static_cast<std::size_t>(reader.required_integer("start", 0, last));
  plateau.every = read_length_or(reader, "every", context, context.evaluate_every,
                                 "run's interval of "
                                 "evaluations");
  check_every(reader, plateau, context);
  const std::string metric = reader.one_of("metric", kMetrics, kMetrics[0]);
  plateau.metric = static_cast<PlateauMetric>(std::find(kMetrics.begin(), kMetrics.end(), metric) -
                                              kMetrics.begin());
  plateau.window = reader.integer("window", 2, kMostWindow, plateau.window);
  plateau.threshold = reader.number("threshold", Range::at_least(0), plateau.threshold) + 0.0;
  plateau.cooldown = reader.integer("cooldown", 0, kMostCooldown, plateau.cooldown);
  plateau.length =
      read_length_or(reader, "length", context, context.run_iterations, "length of the run");
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return plateau;
}

nlohmann::json settings_of(const Plateau& plateau) {
  return {{"controller", kControllers[0]}, {"start", plateau.start},
          {"every", plateau.every},        {"metric", std::string(name_of(plateau.metric))},
          {"window", plateau.window},      {"threshold", plateau.threshold},
          {"cooldown", plateau.cooldown},  {"length", plateau.length}};
}

}  // namespace lrtune
