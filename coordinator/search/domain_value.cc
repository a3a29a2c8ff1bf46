#include "coordinator/search/domain_value.h"

#include <algorithm>
#include <cmath>

#include "common/policy/portable_math.h"

namespace lrtune {
namespace {

double logarithm(double x) { return log_of(x).high; }

}  // namespace

double coordinate_at(const Domain& domain, double unit) {
  switch (domain.kind) {
    case Domain::Kind::kChoice: {
      const auto count = static_cast<double>(domain.choices.size());
      return std::min(std::floor(unit * count), count - 1);
    }
    case Domain::Kind::kInt:  // the bounds are at most 2^53 from 0
      return std::min(domain.low + std::floor(unit * (domain.high - domain.low + 1)), domain.high);
    case Domain::Kind::kUniform:
      return std::clamp(domain.low + unit * (domain.high - domain.low), domain.low, domain.high);
    case Domain::Kind::kLog:  // low * (high / low)^unit is uniform in the logarithm
      return std::clamp(domain.low * power_of(domain.high / domain.low, unit), domain.low,
                        domain.high);
  }
  return 0;
}

nlohmann::json value_of(const Domain& domain, double coordinate) {
  if (domain.kind == Domain::Kind::kChoice) {
    return domain.choices.at(static_cast<std::size_t>(coordinate));
  }
  if (domain.kind == Domain::Kind::kInt) return static_cast<std::int64_t>(coordinate);
  return coordinate;
}

nlohmann::json value_at(const Domain& domain, double unit) {
  return value_of(domain, coordinate_at(domain, unit));
}

double unit_of(const Domain& domain, double coordinate) {
  switch (domain.kind) {
    case Domain::Kind::kChoice:
      return (coordinate + 0.5) / static_cast<double>(domain.choices.size());
    case Domain::Kind::kInt:
      return (coordinate - domain.low + 0.5) / (domain.high - domain.low + 1);
    case Domain::Kind::kUniform:
      return (coordinate - domain.low) / (domain.high - domain.low);
    case Domain::Kind::kLog:
      return std::clamp((logarithm(coordinate) - logarithm(domain.low)) /
                            (logarithm(domain.high) - logarithm(domain.low)),
                        0.0, 1.0);
  }
  return 0;
}

}  // namespace lrtune
