#include "coordinator/store/sql_values.h"

namespace lrtune::sql {
namespace {

void require_finite(const nlohmann::json& json) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) {
    throw std::invalid_argument(
        "a number in a JSON text is not finite; what diverged has a state, not a number");
  }
  if (json.is_structured()) {
    for (const nlohmann::json& part : json) require_finite(part);
  }
}

}  // namespace

std::string exact_text(const nlohmann::json& json) {
  require_finite(json);
  return json.dump();
}

}  // namespace lrtune::sql
