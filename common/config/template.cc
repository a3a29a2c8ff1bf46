#include "common/config/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/config/domain.h"
#include "common/json_reader.h"

namespace lrtune {
namespace {

using Pointer = nlohmann::json::json_pointer;

// Which keys of a template are what; all others are scalars that may be domains.
struct Shape {
  std::vector<std::string> maps;   // maps with scalars of their own
  std::string scalar_or_map;       // a scalar, or such a map with the key `name`
  std::vector<std::string> lists;  // lists of such maps
  std::vector<std::string> fixed;  // take no domain, because of `why`
  std::string why;
  std::vector<std::string> vectors;  // lists that are one value, and take no domain
};

const Shape& policy_shape() {
  static const Shape shape = {{}, "", {"segments", "functions"}, {"name"}, "it is a label", {}};
  return shape;
}

// Numerics are one for a campaign (docs/ARCHITECTURE.md), and a path is no property of the
// training.
const Shape& train_shape() {
  static const Shape shape = {
      {"dataset", "input", "augment", "optimizer"},
      "model",
      {},
      {"device", "threads", "precision", "inexact", "memory_format", "path", "corrupt"},
      "it is one for the whole campaign",
      {"mean", "deviation"}};
  return shape;
}

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Whether `l` of this map is nstep's list. Errors: nstep among functions whose `l` is one length.
Result<bool> has_boundaries(const nlohmann::json& map, const std::string& path) {
  const auto function = map.find("function");
  if (function == map.end()) return false;
  if (*function == "nstep") return true;
  const nlohmann::json* choices = &*function;
  if (choices->is_object() && choices->contains("choice")) choices = &choices->at("choice");
  if (!choices->is_array()) return false;
  const auto steps = std::count(choices->begin(), choices->end(), "nstep");
  if (steps == 0) return false;
  if (static_cast<std::size_t>(steps) == choices->size()) return true;
  return fail(
      "the list of function mixes nstep, whose l is a list of boundaries, with others; give nstep "
      "a policy of its own",
      child_path(path, "function"));
}

class TemplateReader {
 public:
  TemplateReader(const Shape& shape, SearchMethod method, std::string path)
      : shape_(shape), method_(method), path_(std::move(path)) {}

  Result<Template> read(const nlohmann::json& json) {
    result_.tree = json;
    if (json.is_object()) read_map(json, Pointer());
    if (error_) return tl::unexpected(*error_);
    return std::move(result_);
  }

 private:
  void read_map(const nlohmann::json& map, const Pointer& place) {
    const auto boundaries = has_boundaries(map, path_of(place));
    if (!boundaries) return refuse(boundaries.error());
    for (const auto& [key, value] : map.items()) {
      if (error_) return;
      const Pointer child = place / key;
      const bool is_map =
          key == shape_.scalar_or_map && value.is_object() && value.contains("name");
      if (is_map || among(shape_.maps, key)) {
        read_inner_map(key, value, child);
      } else if (among(shape_.vectors, key)) {
        result_.tree[child] = canonical(value);
      } else if (among(shape_.lists, key)) {
        for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
          if (value[i].is_object()) read_map(value[i], child / i);
        }
      } else {
        read_scalar(key, value, child, *boundaries && key == "l");
      }
    }
  }

  void read_inner_map(const std::string& key, const nlohmann::json& value, const Pointer& place) {
    if (!value.is_object()) return;  // the typed reader names what it must be
    const auto names = domain_names();
    if (value.size() == 1 &&
        std::find(names.begin(), names.end(), value.begin().key()) != names.end()) {
      return refuse({fmt::format("{} is a map and takes no domain; give its values domains", key),
                     path_of(place)});
    }
    read_map(value, place);
  }

  void read_scalar(const std::string& key, const nlohmann::json& value, const Pointer& place,
                   bool list_values) {
    const bool nested = value.is_array() && !value.empty() && value.front().is_array();
    const bool is_domain = value.is_object() || (value.is_array() && (!list_values || nested));
    if (!is_domain) {
      result_.tree[place] = canonical(value);
      return;
    }
    if (among(shape_.fixed, key)) {
      return refuse({fmt::format("{} takes no domain: {}", key, shape_.why), path_of(place)});
    }
    if (method_ == SearchMethod::kList) {
      return refuse(
          {fmt::format("method list takes no domains, and {} is {}; use method grid or random, "
                       "or write the policies out",
                       key, value.dump()),
           path_of(place)});
    }
    auto domain = domain_from_json(value, key, list_values, path_of(place));
    if (!domain) return refuse(domain.error());
    if (method_ == SearchMethod::kGrid && domain->kind != Domain::Kind::kChoice) {
      return refuse(
          {fmt::format("method grid takes lists and choices only, and {} is {}; use method "
                       "random, or list the values",
                       key, value.dump()),
           path_of(place)});
    }
    result_.tree[place] = nullptr;
    result_.holes.push_back({place, *std::move(domain)});
  }

  void refuse(Error error) { error_ = std::move(error); }
  std::string path_of(const Pointer& place) const { return path_ + place.to_string(); }

  const Shape& shape_;
  SearchMethod method_;
  std::string path_;
  Template result_;
  std::optional<Error> error_;
};

}  // namespace

Result<Template> policy_template_from_json(const nlohmann::json& json, SearchMethod method,
                                           const std::string& path) {
  return TemplateReader(policy_shape(), method, path).read(json);
}

Result<Template> train_template_from_json(const nlohmann::json& json, SearchMethod method,
                                          const std::string& path) {
  return TemplateReader(train_shape(), method, path).read(json);
}

nlohmann::json to_json(const Template& source) {
  nlohmann::json json = source.tree;
  for (const Template::Hole& hole : source.holes) json[hole.place] = to_json(hole.domain);
  return json;
}

nlohmann::json filled(const Template& source, std::span<const nlohmann::json> values) {
  nlohmann::json json = source.tree;
  for (std::size_t i = 0; i < source.holes.size(); ++i) json[source.holes[i].place] = values[i];
  return json;
}

std::optional<double> epochs_in(std::string_view text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  if (text != "epochs" && text != "epoch") return std::nullopt;
  return value;
}

nlohmann::json canonical(const nlohmann::json& value) {
  if (value.is_array()) {
    nlohmann::json list = nlohmann::json::array();
    for (const nlohmann::json& item : value) list.push_back(canonical(item));
    return list;
  }
  if (value.is_object()) {
    nlohmann::json map = nlohmann::json::object();
    for (const auto& [key, item] : value.items()) map[key] = canonical(item);
    return map;
  }
  if (value.is_string()) {
    const auto epochs = epochs_in(value.get_ref<const std::string&>());
    return epochs ? nlohmann::json(fmt::format("{} epochs", *epochs)) : value;
  }
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::floor(number) == number && std::abs(number) <= 0x1p53) {
      return static_cast<std::int64_t>(number);
    }
  }
  return value;
}

}  // namespace lrtune
