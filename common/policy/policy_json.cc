#include "common/policy/policy_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "common/json_reader.h"
#include "common/policy/length.h"
#include "common/policy/parameters.h"
#include "common/policy/plateau_json.h"

namespace lrtune {
namespace {

constexpr auto kParameterKeys = std::to_array<std::string_view>({"k0", "k1", "gamma", "p", "l"});

const std::vector<std::string>& function_names() {
  static const std::vector<std::string> kFunctionNames = [] {
    std::vector<std::string> names;
    for (const LrFunctionKind kind : all_lr_functions()) names.emplace_back(name_of(kind));
    return names;
  }();
  return kFunctionNames;
}

LrFunctionKind kind_of(const std::string& name) {
  const auto& names = function_names();
  const auto found = std::find(names.begin(), names.end(), name);
  return all_lr_functions()[static_cast<std::size_t>(found - names.begin())];
}

// Reads one function of a policy; `reader` also knows the keys around it (until, from_t, name).
class FunctionReader {
 public:
  FunctionReader(const nlohmann::json& json, const PolicyContext& context, std::string path)
      : json_(json), context_(context), path_(std::move(path)) {}

  // `default_l`: poly's length where the text gives none.
  Result<LrFunction> read(ObjectReader& reader, std::optional<std::int64_t> default_l) {
    const std::string name = reader.one_of("function", function_names());
    if (reader.failed()) return tl::unexpected(*reader.finish());
    function_.kind = kind_of(name);
    what_ = name;
    reader.rename(name);
    reader.rename(name);
    refuse_foreign_parameters(reader);
    read_numbers(reader);
    read_length(reader, default_l);
    if (auto error = reader.finish()) return tl::unexpected(*error);
    return function_;
  }

 private:
  void refuse_foreign_parameters(ObjectReader& reader) {
    const std::vector<std::string> taken = parameter_names(function_.kind);
    for (const std::string_view key : kParameterKeys) {
      if (!json_.contains(key)) continue;
      if (std::find(taken.begin(), taken.end(), key) != taken.end()) continue;
      reader.error(key, fmt::format("{} takes no {}; its parameters are {}", what_, key,
                                    fmt::join(taken, ", ")));
    }
  }

  void read_numbers(ObjectReader& reader) {
    const ParameterSet takes = parameters_of(function_.kind);
    function_.k0 = number(reader, "k0", Range::at_least(0));
    if (function_.kind == LrFunctionKind::kPoly) {
      function_.k1 = reader.number("k1", Range::at_least(0), 0) + 0.0;
    } else if (takes.k1) {
      function_.k1 = number(reader, "k1", Range::at_least(0));
    }
    if (function_.kind == LrFunctionKind::kSig) {
      function_.gamma = number(reader, "gamma", Range::any());
      if (function_.gamma == 0) {
        reader.error("gamma",
                     "gamma of sig must not be 0: below 0 the rate falls, above 0 it grows");
      }
    } else if (takes.gamma) {
      function_.gamma = number(reader, "gamma", Range::above(0));
    }
    if (takes.p) function_.p = number(reader, "p", Range::above(0));
  }

  // Adding 0.0 turns -0.0 into 0.0: equal policies have equal bits.
  static double number(ObjectReader& reader, std::string_view key, Range range) {
    return reader.required_number(key, range) + 0.0;
  }

  void read_length(ObjectReader& reader, std::optional<std::int64_t> default_l) {
    if (parameters_of(function_.kind).boundaries) return read_boundaries(reader);
    if (!parameters_of(function_.kind).l) return;
    const nlohmann::json* value = nullptr;
    if (function_.kind == LrFunctionKind::kPoly) {
      value = reader.raw("l");
      if (value == nullptr) return use_default(reader, default_l);
    } else {
      value = reader.required_raw("l");
    }
    if (value == nullptr) return;
    // The midpoint of sig may be its very start.
    const std::int64_t least = function_.kind == LrFunctionKind::kSig ? 0 : 1;
    auto length =
        read_length_from(*value, context_, "l of " + what_, child_path(path_, "l"), least);
    if (!length) return reader.error(length.error());
    function_.l = *length;
  }

  void use_default(ObjectReader& reader, std::optional<std::int64_t> default_l) {
    if (!default_l) {
      return reader.error(
          "",
          "poly needs the key 'l', the iterations from k0 to k1, because the length of the "
          "run or segment is not known here");
    }
    if (*default_l < 1) {
      return reader.error(
          "", "poly needs the key 'l': its segment starts at or after the end of the run");
    }
    function_.l = *default_l;
  }

  void read_boundaries(ObjectReader& reader) {
    const nlohmann::json* list = reader.required_raw("l");
    if (list == nullptr) return;
    const std::string what = "l of " + what_;
    if (!list->is_array() || list->empty()) {
      return reader.error(
          "l", what + " must be a list of one iteration or more, such as [60000, 65000]");
    }
    if (list->size() > kMostBoundaries) {
      return reader.error("l", fmt::format("{} has {} iterations; at most {} are allowed", what,
                                           list->size(), kMostBoundaries));
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
      // The words of errors cost more than all the rest, and a list may be long.
      auto boundary = plain_iterations((*list)[i], 1);
      if (!boundary) {
        auto read =
            read_length_from((*list)[i], context_, fmt::format("entry {} of {}", i + 1, what),
                             child_path(child_path(path_, "l"), i), 1);
        if (!read) return reader.error(read.error());
        boundary = *read;
      }
      if (!function_.boundaries.empty() && *boundary <= function_.boundaries.back()) {
        return reader.error(
            Error{fmt::format("entry {} of {} must be above the one before it: {} after {}", i + 1,
                              what, *boundary, function_.boundaries.back()),
                  child_path(child_path(path_, "l"), i)});
      }
      function_.boundaries.push_back(*boundary);
    }
  }

  const nlohmann::json& json_;
  const PolicyContext& context_;
  std::string path_;
  std::string what_;
  LrFunction function_;
};

// What is no LR function at all gets a word of its own, before the keys are looked at.
std::optional<Error> refuse_other_forms(const nlohmann::json& json, const std::string& path,
                                        bool segment) {
  if (!json.is_object()) return std::nullopt;
  if (segment && json.contains("controller")) {
    return Error{"a segment cannot hold a 'controller'; a reactive policy stands by itself",
                 child_path(path, "controller")};
  }
  if (segment && json.contains("segments")) {
    return Error{"a segment cannot hold 'segments' itself; list all segments in one row",
                 child_path(path, "segments")};
  }
  for (const char* key : {"until", "from_t"}) {
    if (segment || json.contains("segments") || !json.contains(key)) continue;
    return Error{
        fmt::format("'{}' belongs to a segment; write segments: [{{{}: ..., function: ...}}]", key,
                    key),
        child_path(path, key)};
  }
  return std::nullopt;
}

Result<Segment> read_segment(const nlohmann::json& json, const PolicyContext& context,
                             const std::string& path, std::int64_t start, bool last) {
  if (auto error = refuse_other_forms(json, path, true)) return tl::unexpected(*error);
  ObjectReader reader(json, path, "segment");
  Segment segment;
  const nlohmann::json* until = last ? reader.raw("until") : reader.required_raw("until");
  if (until != nullptr) {
    auto end = read_length_from(*until, context, "until", child_path(path, "until"), 1);
    if (!end) return tl::unexpected(end.error());
    if (*end <= start) {
      reader.error("until",
                   fmt::format("until must be above {}, the end of the segment before, not {}",
                               start, *end));
    }
    segment.until = *end;
  }
  if (const nlohmann::json* from_t = reader.raw("from_t"); from_t != nullptr) {
    auto first = read_length_from(*from_t, context, "from_t", child_path(path, "from_t"), 0);
    if (!first) return tl::unexpected(first.error());
    segment.from_t = *first;
  }
  std::optional<std::int64_t> length = context.run_iterations;
  if (until != nullptr) length = segment.until;
  if (length) *length -= start;
  auto function = FunctionReader(json, context, path).read(reader, length);
  if (!function) return tl::unexpected(function.error());
  segment.function = std::move(*function);
  return segment;
}

Result<Policy> read_segments(const nlohmann::json& json, const PolicyContext& context,
                             const std::string& path) {
  ObjectReader reader(json, path, "policy");
  reader.raw("name");
  const nlohmann::json& list = *reader.raw("segments");
  const std::string list_path = child_path(path, "segments");
  if (!list.is_array() || list.empty()) {
    return fail("segments must be a list of one segment or more", list_path);
  }
  if (list.size() > kMostSegments) {
    return fail(fmt::format("the policy has {} segments; at most {} are allowed", list.size(),
                            kMostSegments),
                list_path);
  }
  if (auto error = reader.finish()) return tl::unexpected(*error);
  Policy policy;
  std::int64_t start = 0;
  std::size_t boundaries = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto segment =
        read_segment(list[i], context, child_path(list_path, i), start, i + 1 == list.size());
    if (!segment) return tl::unexpected(segment.error());
    start = segment->until;
    boundaries += segment->function.boundaries.size();
    if (boundaries > kMostBoundaries) {
      return fail(fmt::format("the lists of nstep have more than {} iterations in all segments "
                              "together; so many are allowed",
                              kMostBoundaries),
                  child_path(list_path, i));
    }
    policy.segments.push_back(std::move(*segment));
  }
  return policy;
}

// One of a controller's functions, which are valid at any iteration of the run.
Result<LrFunction> read_function_of_controller(const nlohmann::json& json,
                                               const PolicyContext& context,
                                               const std::string& path) {
  for (const char* key : {"controller", "segments", "until", "from_t"}) {
    if (!json.is_object() || !json.contains(key)) continue;
    return fail(fmt::format("functions holds LR functions alone, which take no '{}'", key),
                child_path(path, key));
  }
  ObjectReader reader(json, path, "function");
  return FunctionReader(json, context, path).read(reader, context.run_iterations);
}

Result<Policy> read_reactive(const nlohmann::json& json, const PolicyContext& context,
                             const std::string& path) {
  auto plateau = plateau_from_json(
      json, context, path, [&context](const nlohmann::json& function, const std::string& place) {
        return read_function_of_controller(function, context, place);
      });
  if (!plateau) return tl::unexpected(plateau.error());
  return Policy{.segments = {}, .plateau = *std::move(plateau)};
}

nlohmann::json to_json(const LrFunction& function) {
  const ParameterSet takes = parameters_of(function.kind);
  nlohmann::json json{{"function", name_of(function.kind)}, {"k0", function.k0}};
  if (takes.k1) json["k1"] = function.k1;
  if (takes.gamma) json["gamma"] = function.gamma;
  if (takes.p) json["p"] = function.p;
  if (takes.l) json["l"] = function.l;
  if (takes.boundaries) json["l"] = function.boundaries;
  return json;
}

nlohmann::json to_json(const Segment& segment) {
  nlohmann::json json = to_json(segment.function);
  if (segment.until != kNoEnd) json["until"] = segment.until;
  if (segment.from_t != 0) json["from_t"] = segment.from_t;
  return json;
}

}  // namespace

Result<Policy> policy_from_json(const nlohmann::json& json, const PolicyContext& context,
                                const std::string& path) {
  if (auto error = refuse_other_forms(json, path, false)) return tl::unexpected(*error);
  if (json.is_object() && json.contains("controller")) return read_reactive(json, context, path);
  if (json.is_object() && json.contains("segments")) return read_segments(json, context, path);
  ObjectReader reader(json, path, "policy");
  reader.raw("name");
  auto function = FunctionReader(json, context, path).read(reader, context.run_iterations);
  if (!function) return tl::unexpected(function.error());
  return Policy{{Segment{.function = std::move(*function)}}};
}

nlohmann::json to_json(const Policy& policy) {
  if (policy.plateau) {
    nlohmann::json json = settings_of(*policy.plateau);
    for (const LrFunction& function : policy.plateau->functions)
      json["functions"].push_back(to_json(function));
    return json;
  }
  if (policy.segments.size() == 1) {
    const Segment& only = policy.segments.front();
    if (only.until == kNoEnd && only.from_t == 0) return to_json(only.function);
  }
  nlohmann::json list = nlohmann::json::array();
  for (const Segment& segment : policy.segments) list.push_back(to_json(segment));
  return {{"segments", std::move(list)}};
}

}  // namespace lrtune
