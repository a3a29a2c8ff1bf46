#include "common/config/located_json.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

#include "common/config/yaml_scalar.h"
#include "common/json_reader.h"

namespace lrtune {
namespace {

// Leaves yaml-cpp's parser, which has no other way to be stopped.
struct Refusal {
  std::string message;
  YAML::Mark mark;
};

// Builds the tree from the parser's events: yaml-cpp's own nodes would swallow keys that stand
// twice and follow aliases without a bound.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(LocatedJson& result) : result_(result) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refusal{"a second document; one file is one experiment", mark};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (at_key()) throw Refusal{"a key must be a text, not null", mark};
    begin(mark);
    finish(nullptr);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark, 1); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (at_key()) return take_key(mark, value);
    begin(mark);
    if (tag == "!") return finish(value);  // quoted
    auto scalar = json_from_plain_scalar(value);
    if (!scalar) throw Refusal{scalar.error().message, mark};
    finish(*std::move(scalar));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, nlohmann::json::array());
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, nlohmann::json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    nlohmann::json value;
    std::string path;
    bool has_key = false;
    std::string key;
    YAML::Mark key_mark;
  };

  bool at_key() const {
    return !levels_.empty() && levels_.back().value.is_object() && !levels_.back().has_key;
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    Level& level = levels_.back();
    if (key.size() > kMaxYamlKeyBytes) {
      throw Refusal{fmt::format("a key has {} bytes; at most {} are allowed; is a quote missing?",
                                key.size(), kMaxYamlKeyBytes),
                    mark};
    }
    if (level.value.contains(key)) {
      const Place first = result_.places[child_path(level.path, key)];
      throw Refusal{fmt::format("the key '{}' stands twice, first in line {}", key, first.line),
                    mark};
    }
    level.has_key = true;
    level.key = key;
    level.key_mark = mark;
  }

  // A value starts: its path is known now, its place is its key's.
  void begin(const YAML::Mark& mark) {
    YAML::Mark place = mark;
    path_.clear();
    if (!levels_.empty()) {
      const Level& level = levels_.back();
      path_ = level.value.is_object() ? child_path(level.path, level.key)
                                      : child_path(level.path, level.value.size());
      if (level.value.is_object()) place = level.key_mark;
    }
    result_.places[path_] = Place{place.line + 1, place.column + 1};
  }

  void finish(nlohmann::json value) {
    if (levels_.empty()) {
      result_.json = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
    } else {
      level.value[level.key] = std::move(value);
      level.has_key = false;
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            nlohmann::json empty) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (at_key()) throw Refusal{"a key must be a text, not a map or a list", mark};
    if (levels_.size() >= kMaxYamlDepth) {
      throw Refusal{fmt::format("maps and lists are nested deeper than {}", kMaxYamlDepth), mark};
    }
    begin(mark);
    levels_.push_back(Level{std::move(empty), path_, false, {}, {}});
  }

  void close() {
    nlohmann::json value = std::move(levels_.back().value);
    levels_.pop_back();
    finish(std::move(value));
  }

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    throw Refusal{"anchors and aliases (&name, *name) are not read; write the value out", mark};
  }

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw Refusal{fmt::format("tags are not read, and '{}' is one; quote a text instead", tag),
                  mark};
  }

  LocatedJson& result_;
  std::vector<Level> levels_;
  std::string path_;
  int documents_ = 0;
};

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

// yaml-cpp takes byte 4 for the end of its input and reads past the others.
bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
}

std::optional<Error> refuse_bytes(const std::string& text, const std::string& file) {
  if (text.size() > kMaxYamlBytes) {
    return Error{fmt::format("{}: {} bytes are more than the {} that are read", file, text.size(),
                             kMaxYamlBytes)};
  }
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (!is_utf8(line)) return Error{fmt::format("{}:{}: the text is not UTF-8", file, number)};
    if (std::any_of(line.begin(), line.end(), is_control)) {
      return Error{fmt::format("{}:{}: the text has a control character", file, number)};
    }
  }
  return std::nullopt;
}

}  // namespace

Place LocatedJson::place(std::string_view pointer) const {
  for (std::string path(pointer);; path.resize(path.rfind('/'))) {
    if (const auto it = places.find(path); it != places.end()) return it->second;
    if (path.empty()) return Place{};
  }
}

Error LocatedJson::located(const Error& error) const {
  const std::string key = error.path.empty() ? "" : fmt::format(" ({})", key_words(error.path));
  return Error{fmt::format("{}:{}: {}{}", file, place(error.path).line, error.message, key),
               error.path};
}

std::string key_words(std::string_view pointer) {
  std::string words;
  std::size_t start = pointer.empty() ? std::string_view::npos : 1;
  while (start != std::string_view::npos) {
    const std::size_t end = pointer.find('/', start);
    std::string step(pointer.substr(start, end == std::string_view::npos ? end : end - start));
    for (std::size_t at = 0; (at = step.find('~', at)) != std::string::npos; ++at) {
      step.replace(at, 2, 1, step.compare(at, 2, "~1") == 0 ? '/' : '~');
    }
    const bool is_index =
        !step.empty() && step.find_first_not_of("0123456789") == std::string::npos;
    if (is_index) {
      words += '[' + step + ']';
    } else {
      words += (words.empty() ? "" : ".") + step;
    }
    start = end == std::string_view::npos ? end : end + 1;
  }
  return words;
}

Result<LocatedJson> located_json_from_yaml(const std::string& text, const std::string& file) {
  if (auto error = refuse_bytes(text, file)) return tl::unexpected(*error);
  LocatedJson result;
  result.file = file;
  TreeBuilder builder(result);
  const auto refuse = [&file](const YAML::Mark& mark, const std::string& message) {
    return fail(fmt::format("{}:{}: {}", file, std::max(mark.line, 0) + 1, message));
  };
  try {
    std::istringstream input(text);
    YAML::Parser parser(input);
    if (!parser.HandleNextDocument(builder))
      return fail(fmt::format("{}: the text is empty", file));
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    return refuse(refusal.mark, refusal.message);
  } catch (const YAML::Exception& error) {
    return refuse(error.mark, fmt::format("not YAML: {}", error.msg));
  }
  return result;
}

Result<nlohmann::json> yaml_to_json(const std::string& text, const std::string& file) {
  auto located = located_json_from_yaml(text, file);
  if (!located) return tl::unexpected(located.error());
  return std::move(located->json);
}

}  // namespace lrtune
