#include "coordinator/search/tpe.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <variant>

#include "common/policy/portable_math.h"
#include "common/random.h"
#include "coordinator/search/domain_value.h"
#include "coordinator/search/parzen.h"
#include "coordinator/search/sobol.h"

namespace lrtune {
namespace {

// Rounds of draws that may turn out to be known already. Then the space is nearly used up.
constexpr int kMostRounds = 10;
// Beyond so many whole numbers an int domain is as good as continuous.
constexpr double kMostCells = 4096;

// The uniform numbers of one proposal, one after the other.
class Chance {
 public:
  Chance(std::uint64_t seed, std::uint64_t number) : seed_(seed), number_(number) {}
  double next() { return random_unit("search tpe", seed_, number_, stream_++); }

 private:
  std::uint64_t seed_;
  std::uint64_t number_;
  std::uint64_t stream_ = 0;
};

double logarithm(double x) { return log_of(x).high; }

bool in_order(const Domain& domain) {
  const auto& choices = domain.choices;
  return choices.size() > 2 &&
         std::all_of(choices.begin(), choices.end(), std::mem_fn(&nlohmann::json::is_number)) &&
         (std::is_sorted(choices.begin(), choices.end()) ||
          std::is_sorted(choices.rbegin(), choices.rend()));
}

// How many cells the unit interval has; 0: the domain is continuous or as good as that.
double cells_of(const Domain& domain) {
  if (domain.kind == Domain::Kind::kChoice) return static_cast<double>(domain.choices.size());
  const double count = domain.high - domain.low + 1;
  return domain.kind == Domain::Kind::kInt && count <= kMostCells ? count : 0;
}

// The density over one hole, of the good or of the bad.
class HoleDensity {
 public:
  HoleDensity(const Domain& domain, const std::vector<double>& coordinates)
      : domain_(domain), density_(made(domain, coordinates)) {}

  double draw(Chance& chance) const {
    if (const auto* choice = std::get_if<ChoiceDensity>(&density_)) {
      return static_cast<double>(choice->draw(chance.next()));
    }
    const double part = chance.next();
    const double place = chance.next();
    return coordinate_at(domain_, std::get<IntervalDensity>(density_).draw(part, place));
  }

  double log_density(double coordinate) const {
    if (const auto* choice = std::get_if<ChoiceDensity>(&density_)) {
      return logarithm(choice->probability(static_cast<std::size_t>(coordinate)));
    }
    const auto& interval = std::get<IntervalDensity>(density_);
    const double unit = unit_of(domain_, coordinate);
    const double cells = cells_of(domain_);
    if (cells == 0) return logarithm(interval.density(unit));
    return logarithm(interval.probability(unit - 0.5 / cells, unit + 0.5 / cells));
  }

 private:
  using Density = std::variant<ChoiceDensity, IntervalDensity>;
  static Density made(const Domain& domain, const std::vector<double>& coordinates) {
    if (domain.kind == Domain::Kind::kChoice && !in_order(domain)) {
      return ChoiceDensity(domain.choices.size(), {coordinates.begin(), coordinates.end()});
    }
    std::vector<double> units;
    for (const double coordinate : coordinates) units.push_back(unit_of(domain, coordinate));
    return IntervalDensity(std::move(units));
  }

  const Domain& domain_;
  Density density_;
};

// The density over all points: of the policy, and of the holes given the policy.
class SpaceDensity {
 public:
  SpaceDensity(const Experiment& experiment, const std::vector<const SearchPoint*>& points)
      : policies_(policies_of(experiment, points)) {
    for (std::size_t hole = 0; hole < experiment.train.holes.size(); ++hole) {
      std::vector<double> coordinates;
      for (const SearchPoint* point : points) coordinates.push_back(point->train.at(hole));
      train_.emplace_back(experiment.train.holes[hole].domain, coordinates);
    }
    holes_.resize(experiment.policies.size());
    for (std::size_t policy = 0; policy < experiment.policies.size(); ++policy) {
      const auto& holes = experiment.policies[policy].holes;
      for (std::size_t hole = 0; hole < holes.size(); ++hole) {
        std::vector<double> coordinates;
        for (const SearchPoint* point : points) {
          if (point->policy == policy) coordinates.push_back(point->holes.at(hole));
        }
        holes_[policy].emplace_back(holes[hole].domain, coordinates);
      }
    }
  }

  SearchPoint draw(Chance& chance) const {
    SearchPoint point{.policy = policies_.draw(chance.next())};
    for (const HoleDensity& hole : train_) point.train.push_back(hole.draw(chance));
    for (const HoleDensity& hole : holes_[point.policy]) point.holes.push_back(hole.draw(chance));
    return point;
  }

  double log_density(const SearchPoint& point) const {
    double sum = logarithm(policies_.probability(point.policy));
    for (std::size_t i = 0; i < train_.size(); ++i) sum += train_[i].log_density(point.train[i]);
    const auto& holes = holes_[point.policy];
    for (std::size_t i = 0; i < holes.size(); ++i) sum += holes[i].log_density(point.holes[i]);
    return sum;
  }

 private:
  static ChoiceDensity policies_of(const Experiment& experiment,
                                   const std::vector<const SearchPoint*>& points) {
    std::vector<std::size_t> seen;
    for (const SearchPoint* point : points) seen.push_back(point->policy);
    return {experiment.policies.size(), seen};
  }

  ChoiceDensity policies_;
  std::vector<HoleDensity> train_;
  std::vector<std::vector<HoleDensity>> holes_;  // by policy
};

SearchPoint startup_point(const Experiment& experiment, std::uint64_t number) {
  const std::vector<double> units = sobol_units(experiment, number);
  SearchPoint point{.policy = sobol_policy(experiment, units)};
  auto unit = units.begin() + 1;
  for (const auto& hole : experiment.train.holes) {
    point.train.push_back(coordinate_at(hole.domain, *unit++));
  }
  for (const auto& hole : experiment.policies[point.policy].holes) {
    point.holes.push_back(coordinate_at(hole.domain, *unit++));
  }
  return point;
}

// Indices of the observations with a value, best first.
std::vector<std::size_t> ranked(std::span<const Observation> observed) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    if (observed[i].value) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t one, std::size_t other) {
    return *observed[one].value > *observed[other].value;
  });
  return order;
}

}  // namespace

TpeProposal tpe_proposal(const Experiment& experiment, std::span<const Observation> observed,
                         std::span<const SearchPoint> pending, std::uint64_t number,
                         const TpeOptions& options) {
  assert(options.good > 0 && options.good < 1 && options.draws >= 1);
  TpeProposal best{.observed = std::ssize(observed), .pending = std::ssize(pending)};
  const std::vector<std::size_t> order = ranked(observed);
  if (best.observed < options.startup || order.empty()) {
    best.point = startup_point(experiment, number);
    return best;
  }
  best.good =
      static_cast<std::int64_t>(std::ceil(options.good * static_cast<double>(order.size())));
  const std::set<std::size_t> good_places(order.begin(), order.begin() + best.good);
  std::vector<const SearchPoint*> good;
  std::vector<const SearchPoint*> bad;
  std::set<SearchPoint> known(pending.begin(), pending.end());
  for (std::size_t i = 0; i < observed.size(); ++i) {
    (good_places.contains(i) ? good : bad).push_back(&observed[i].point);
    known.insert(observed[i].point);
  }
  for (const SearchPoint& point : pending) bad.push_back(&point);
  const SpaceDensity good_density(experiment, good);
  const SpaceDensity bad_density(experiment, bad);

  Chance chance(experiment.seed, number);
  bool best_is_new = false;
  for (int i = 0; i < options.draws * (best_is_new ? 1 : kMostRounds); ++i) {
    SearchPoint point = good_density.draw(chance);
    const bool is_new = !known.contains(point);
    if (best_is_new && !is_new) continue;
    const double score = good_density.log_density(point) - bad_density.log_density(point);
    if (i > 0 && is_new == best_is_new && score <= best.score) continue;
    best.point = std::move(point);
    best.score = score;
    best_is_new = is_new;
  }
  return best;
}

}  // namespace lrtune
