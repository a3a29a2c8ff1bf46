#include "coordinator/cli/target_argument.h"

#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>

namespace lrtune {

using nlohmann::json;

Result<Target> target_from_text(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  double value = 0;
  std::size_t read = 0;
  try {
    if (equals != std::string::npos) value = std::stod(text.substr(equals + 1), &read);
  } catch (const std::exception&) {
    read = 0;
  }
  if (read == 0 || equals + 1 + read != text.size() || (name != "top1" && name != "loss")) {
    return fail(fmt::format("--target must be top1=VALUE or loss=VALUE, such as top1=0.991, not {}",
                            text.empty() ? "empty" : text));
  }
  return target_from_json(json{{name, value}}, "--target");
}

}  // namespace lrtune
