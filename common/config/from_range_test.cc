#include "common/config/from_range_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "common/config/template.h"
#include "common/json_reader.h"
#include "common/policy/policy.h"

namespace lrtune {
namespace {

using nlohmann::json;

// What a range test can say of a parameter.
enum class Part : std::uint8_t { kLower, kUpper, kMiddle, kHalfCycle, kGamma, kNothing };

// Of an unknown function what a cyclic one takes: whoever reads it refuses it.
Part part_of(const json& function, const std::string& key) {
  LrFamily family = LrFamily::kCyclic;
  for (const LrFunctionKind kind : all_lr_functions()) {
    if (function == std::string(name_of(kind))) family = family_of(kind);
  }
  if (key == "l") return family == LrFamily::kCyclic ? Part::kHalfCycle : Part::kNothing;
  if (key == "gamma") {
    const bool falls_by_it = function.is_string() && function.get<std::string>().ends_with("exp");
    return falls_by_it ? Part::kGamma : Part::kNothing;
  }
  if (key != "k0" && key != "k1") return Part::kNothing;
  if (family == LrFamily::kFixed) return Part::kMiddle;
  return (key == "k0") == (family == LrFamily::kDecaying) ? Part::kUpper : Part::kLower;
}

// `function` may be a domain; all of its choices must agree.
std::optional<Part> part_of_all(json function, const std::string& key) {
  if (function.is_object() && function.contains("choice")) function = function["choice"];
  if (!function.is_array()) return part_of(function, key);
  std::optional<Part> part;
  for (const json& one : function) {
    if (part.value_or(part_of(one, key)) != part_of(one, key)) return std::nullopt;
    part = part_of(one, key);
  }
  return part;
}

bool is_from(const json& value) {
  return value.is_object() && value.size() == 1 && value.contains("from");
}

// The bounds of an interval: {log: {from: range-test}}.
bool has_bounds_from(const json& value) {
  return value.is_object() && value.size() == 1 && is_from(value.front()) &&
         (value.contains("log") || value.contains("uniform") || value.contains("int"));
}

class Filler {
 public:
  explicit Filler(const Result<RangeFinding>& range) : range_(range) {}

  // `node` and all inside.
  std::optional<Error> fill(json& node, const std::string& path) {
    for (std::size_t i = 0; node.is_array() && i < node.size(); ++i) {
      if (auto error = fill(node[i], child_path(path, i))) return error;
    }
    if (!node.is_object()) return std::nullopt;
    const json function = node.value("function", json());
    for (auto entry = node.begin(); entry != node.end(); ++entry) {
      const std::string inner = child_path(path, entry.key());
      auto error = is_from(*entry) || has_bounds_from(*entry)
                       ? fill_value(*entry, entry.key(), function, inner)
                       : fill(*entry, inner);
      if (error) return error;
    }
    return std::nullopt;
  }

  int filled() const { return filled_; }

 private:
  std::optional<Error> fill_value(json& value, const std::string& key, const json& function,
                                  const std::string& path) {
    const json& from = is_from(value) ? value["from"] : value.front()["from"];
    if (from != "range-test")
      return Error{
          fmt::format("{} is taken from range-test or not at all, not from {}", key, from.dump()),
          path};
    const auto part = part_of_all(function, key);
    const bool rates = key == "k0" || key == "k1";
    const bool whole = key == "l";
    if (part == Part::kNothing ||
        (!is_from(value) && (rates || whole) && value.contains("int") != whole) ||
        (!is_from(value) && key == "gamma"))
      return Error{
          fmt::format("{} takes nothing from a range test: k0 and k1 do, l of cyclic functions, "
                      "gamma of exp and the *exp functions; as a domain rates (log or uniform) "
                      "and l (int)",
                      key),
          path};
    if (!part && (is_from(value) || !rates)) {
      return Error{fmt::format("the functions of {} take different things from a range test as {}; "
                               "give them policies of their own",
                               function.dump(), key),
                   path};
    }
    if (!range_) return Error{fmt::format("{}: {}", key, range_.error().message), path};
    ++filled_;
    if (is_from(value)) {
      value = found(*part);
    } else if (whole && range_->half_cycle_low >= range_->half_cycle_high) {
      value = range_->half_cycle_low;  // a run too short for a choice
    } else if (whole) {
      value.front() = {range_->half_cycle_low, range_->half_cycle_high};
    } else {
      value.front() = {canonical(range_->lower), canonical(range_->upper)};
    }
    return std::nullopt;
  }

  json found(Part part) const {
    switch (part) {
      case Part::kLower:
        return canonical(range_->lower);
      case Part::kUpper:
        return canonical(range_->upper);
      case Part::kMiddle:
        return canonical(middle());
      case Part::kHalfCycle:
        return range_->half_cycle;
      case Part::kGamma:
        return canonical(range_->gamma);
      case Part::kNothing:
        break;
    }
    return nullptr;
  }

  // Four digits, as people write rates.
  double middle() const {
    return std::stod(fmt::format("{:.3e}", std::sqrt(range_->lower * range_->upper)));
  }

  const Result<RangeFinding>& range_;
  int filled_ = 0;
};

}  // namespace

Result<int> fill_from_range_test(json& experiment, const Result<RangeFinding>& range) {
  const json::json_pointer place("/search/policies");
  if (!experiment.is_object() || !experiment.contains(place)) return 0;
  Filler filler(range);
  if (auto error = filler.fill(experiment[place], place.to_string()))
    return tl::unexpected(*std::move(error));
  return filler.filled();
}

}  // namespace lrtune
