#include "common/config/domain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <set>

#include "common/config/template.h"
#include "common/json_reader.h"

namespace lrtune {
namespace {

// In the order of Domain::Kind.
const std::array<std::string, 4> kDomainNames = {"choice", "uniform", "log", "int"};

constexpr std::size_t kMostChoices = 10'000;

std::optional<Error> refuse_choice(const nlohmann::json& choice, const std::string& key,
                                   bool list_values, const std::string& path) {
  const bool fits = list_values ? choice.is_array()
                                : choice.is_number() || choice.is_string() || choice.is_boolean();
  if (fits) return std::nullopt;
  const std::string_view wanted =
      list_values ? "a list of boundaries" : "a number, a text, true or false";
  return Error{fmt::format("a choice of {} must be {}, not {}", key, wanted, choice.dump()), path};
}

Result<Domain> choices_from_json(const nlohmann::json& list, const std::string& key,
                                 bool list_values, const std::string& path) {
  if (!list.is_array()) {
    return fail(fmt::format("choice of {} must be a list, not {}", key, list.dump()), path);
  }
  if (list.empty()) return fail(fmt::format("the list of {} is empty", key), path);
  if (list.size() > kMostChoices) {
    return fail(fmt::format("the list of {} has {} values; at most {} are allowed", key,
                            list.size(), kMostChoices),
                path);
  }
  Domain domain;
  domain.choices.reserve(list.size());  // `known` points into it
  std::set<std::reference_wrapper<const nlohmann::json>, std::less<nlohmann::json>> known;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (auto error = refuse_choice(list[i], key, list_values, child_path(path, i))) {
      return tl::unexpected(*error);
    }
    domain.choices.push_back(canonical(list[i]));
    const nlohmann::json& last = domain.choices.back();
    if (!known.insert(last).second) {
      return fail(fmt::format("the list of {} has {} twice", key, last.dump()),
                  child_path(path, i));
    }
  }
  return domain;
}

std::string_view bounds_words(Domain::Kind kind) {
  switch (kind) {
    case Domain::Kind::kLog:
      return "two numbers above 0";
    case Domain::Kind::kInt:
      return "two whole numbers";
    default:
      return "two numbers";
  }
}

bool is_bound(const nlohmann::json& value, Domain::Kind kind) {
  if (!value.is_number()) return false;
  const double number = value.get<double>();
  if (!std::isfinite(number)) return false;
  if (kind == Domain::Kind::kLog) return number > 0;
  if (kind == Domain::Kind::kInt) return std::floor(number) == number && std::abs(number) <= 0x1p53;
  return true;
}

Result<Domain> interval_from_json(const nlohmann::json& bounds, Domain::Kind kind,
                                  const std::string& key, const std::string& path) {
  const std::string& name = kDomainNames[static_cast<std::size_t>(kind)];
  const bool fits = bounds.is_array() && bounds.size() == 2 && is_bound(bounds[0], kind) &&
                    is_bound(bounds[1], kind);
  if (!fits || !(bounds[0].get<double>() < bounds[1].get<double>())) {
    return fail(fmt::format("{} of {} must be [low, high], {} with low below high, not {}", name,
                            key, bounds_words(kind), bounds.dump()),
                path);
  }
  Domain domain;
  domain.kind = kind;
  domain.low = bounds[0].get<double>();
  domain.high = bounds[1].get<double>();
  return domain;
}

}  // namespace

std::span<const std::string> domain_names() { return kDomainNames; }

Result<Domain> domain_from_json(const nlohmann::json& json, const std::string& key,
                                bool list_values, const std::string& path) {
  if (json.is_array()) return choices_from_json(json, key, list_values, path);
  if (json.size() != 1) {
    return fail(fmt::format("a domain of {} has exactly one key out of {}, not {}", key,
                            fmt::join(kDomainNames, ", "), json.dump()),
                path);
  }
  const std::string& name = json.begin().key();
  const auto known = std::find(kDomainNames.begin(), kDomainNames.end(), name);
  if (known == kDomainNames.end()) {
    const auto near = nearest_name(name, kDomainNames);
    return fail(fmt::format("{} has no domain '{}'; {}known domains: {}", key, name,
                            near ? fmt::format("did you mean '{}'? ", *near) : "",
                            fmt::join(kDomainNames, ", ")),
                child_path(path, name));
  }
  const auto kind = static_cast<Domain::Kind>(known - kDomainNames.begin());
  if (kind == Domain::Kind::kChoice) {
    return choices_from_json(json.front(), key, list_values, child_path(path, name));
  }
  if (list_values) {
    return fail(fmt::format("{} takes lists of boundaries here: its domain is a list of lists or "
                            "{{choice: [[...], ...]}}, not {}",
                            key, json.dump()),
                path);
  }
  return interval_from_json(json.front(), kind, key, child_path(path, name));
}

nlohmann::json to_json(const Domain& domain) {
  const std::string& name = kDomainNames[static_cast<std::size_t>(domain.kind)];
  if (domain.kind == Domain::Kind::kChoice) return {{name, domain.choices}};
  return {{name, nlohmann::json::array({canonical(domain.low), canonical(domain.high)})}};
}

}  // namespace lrtune
