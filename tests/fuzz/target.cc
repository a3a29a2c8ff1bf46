#include "tests/fuzz/target.h"

#include <array>
#include <stdexcept>

namespace lrtune::fuzz {

std::span<const Target> targets() {
  static constexpr std::array<Target, 9> kAll{{{"to_coordinator", to_coordinator},
                                               {"to_worker", to_worker},
                                               {"to_checkpoint_service", to_checkpoint_service},
                                               {"to_checkpoint_client", to_checkpoint_client},
                                               {"yaml", yaml},
                                               {"experiment", experiment},
                                               {"key_file", key_file},
                                               {"policy", policy},
                                               {"store_document", store_document}}};
  return kAll;
}

void require(bool holds, const std::string& property) {
  if (!holds) throw std::logic_error(property);
}

}  // namespace lrtune::fuzz
