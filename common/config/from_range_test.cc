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

enum class Bound : std::uint8_t { kLower, kUpper, kMiddle };

// Of an unknown function any: whoever reads it refuses it.
Bound bound_of(const json& function, bool k0) {
  for (const LrFunctionKind kind : all_lr_functions()) {
    if (function != std::string(name_of(kind))) continue;
    if (family_of(kind) == LrFamily::kFixed) return Bound::kMiddle;
    if (family_of(kind) == LrFamily::kDecaying) return k0 ? Bound::kUpper : Bound::kLower;
  }
  return k0 ? Bound::kLower : Bound::kUpper;
}

// `function` may be a domain; all of its choices must agree.
std::optional<Bound> bound_of_all(json function, bool k0) {
  if (function.is_object() && function.contains("choice")) function = function["choice"];
  if (!function.is_array()) return bound_of(function, k0);
  std::optional<Bound> bound;
  for (const json& one : function) {
    if (bound.value_or(bound_of(one, k0)) != bound_of(one, k0)) return std::nullopt;
    bound = bound_of(one, k0);
  }
  return bound;
}

bool is_from(const json& value) {
  return value.is_object() && value.size() == 1 && value.contains("from");
}

// The bounds of an interval: {log: {from: range-test}}.
bool has_bounds_from(const json& value) {
  return value.is_object() && value.size() == 1 && is_from(value.front()) &&
         (value.contains("log") || value.contains("uniform"));
}

class Filler {
 public:
  explicit Filler(const Result<RateRange>& range) : range_(range) {}

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
    if (key != "k0" && key != "k1") {
      return Error{fmt::format("{} is no rate: k0 and k1 may come from a range test", key), path};
    }
    const auto bound = bound_of_all(function, key == "k0");
    if (is_from(value) && !bound) {
      return Error{fmt::format("the functions of {} take different bounds of a range test as {}; "
                               "give them policies of their own",
                               function.dump(), key),
                   path};
    }
    if (!range_) return Error{fmt::format("{}: {}", key, range_.error().message), path};
    ++filled_;
    if (!is_from(value)) {
      value.front() = {canonical(range_->lower), canonical(range_->upper)};
    } else if (*bound == Bound::kMiddle) {
      value = canonical(middle());
    } else {
      value = canonical(*bound == Bound::kLower ? range_->lower : range_->upper);
    }
    return std::nullopt;
  }

  // Four digits, as people write rates.
  double middle() const {
    return std::stod(fmt::format("{:.3e}", std::sqrt(range_->lower * range_->upper)));
  }

  const Result<RateRange>& range_;
  int filled_ = 0;
};

}  // namespace

Result<int> fill_from_range_test(json& experiment, const Result<RateRange>& range) {
  const json::json_pointer place("/search/policies");
  if (!experiment.is_object() || !experiment.contains(place)) return 0;
  Filler filler(range);
  if (auto error = filler.fill(experiment[place], place.to_string()))
    return tl::unexpected(*std::move(error));
  return filler.filled();
}

}  // namespace lrtune
