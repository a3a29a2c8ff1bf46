#include "common/config/length_reader.h"

#include <fmt/format.h>

#include "common/config/template.h"

namespace lrtune {

RunLength read_iterations(ObjectReader& reader, const char* key, const nlohmann::json& value,
                          const std::string& what, std::int64_t least) {
  if (!value.is_string()) return {reader.integer(key, least, kMostIterations, least), 0};
  const auto epochs = epochs_in(value.get_ref<const std::string&>());
  if (!epochs || !(*epochs > 0 && *epochs <= kMostEpochs)) {
    reader.error(key, fmt::format("{} must be a whole number of iterations of at least {}, "
                                  "or a text such as \"2 epochs\", not {}",
                                  what, least, value.dump()));
  }
  return {0, epochs.value_or(1)};
}

}  // namespace lrtune
