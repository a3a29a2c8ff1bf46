#include "coordinator/search/domain_value.h"

#include <algorithm>
#include <cmath>

#include "common/policy/portable_math.h"

namespace lrtune {

nlohmann::json value_at(const Domain& domain, double unit) {
  switch (domain.kind) {
    case Domain::Kind::kChoice: {
      const auto place = static_cast<std::size_t>(unit * static_cast<double>(domain.choices.size()));
      return domain.choices[std::min(place, domain.choices.size() - 1)];
    }
    case Domain::Kind::kInt: {  // the bounds are at most 2^53 from 0
      const double steps = std::floor(unit * (domain.high - domain.low + 1));
      return static_cast<std::int64_t>(std::clamp(domain.low + steps, domain.low, domain.high));
    }
    case Domain::Kind::kUniform:
      return std::clamp(domain.low + unit * (domain.high - domain.low), domain.low, domain.high);
    case Domain::Kind::kLog:  // low * (high / low)^unit is uniform in the logarithm
      return std::clamp(domain.low * power_of(domain.high / domain.low, unit), domain.low,
                        domain.high);
  }
  return nullptr;
}

}  // namespace lrtune
