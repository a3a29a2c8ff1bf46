#include "coordinator/search/adaptive_search.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "coordinator/search/point.h"
#include "coordinator/search/search.h"

namespace lrtune {

using Kind = HalvingAction::Kind;

AdaptivePlan adaptive_plan(const Experiment& experiment, std::int64_t run_iterations,
                           std::int64_t first_rung) {
  assert(decides_by_results(experiment.method));
  AdaptivePlan plan;
  plan.halving.candidates = experiment.count;
  if (experiment.method == SearchMethod::kTpe) {
    plan.method = AdaptiveMethod::kTpe;
    plan.halving.rungs = {run_iterations};
    plan.tpe = {.startup = experiment.tpe_startup,
                .good = experiment.tpe_good,
                .draws = experiment.tpe_draws};
    return plan;
  }
  plan.method = experiment.method == SearchMethod::kAsha ? AdaptiveMethod::kAsha
                                                         : AdaptiveMethod::kHalving;
  plan.halving.eta = experiment.eta;
  plan.halving.rungs = halving_rungs(first_rung, run_iterations, experiment.eta);
  plan.inner = experiment.drawn_by;
  return plan;
}

class AdaptiveSearch::Method {
 public:
  virtual ~Method() = default;
  virtual void observe(const RungResult& result) = 0;
  virtual SearchDecision next() = 0;
  virtual nlohmann::json policy_of(std::int64_t candidate) const = 0;
};

namespace {

Experiment drawn_by(Experiment experiment, SearchMethod inner) {
  experiment.method = inner;
  return experiment;
}

}  // namespace

class AdaptiveSearch::Halving : public Method {
 public:
  Halving(Experiment experiment, const AdaptivePlan& plan)
      : experiment_(drawn_by(std::move(experiment), plan.inner)), halving_(plan.halving) {}

  void observe(const RungResult& result) override { halving_.observe(result); }

  // What is known is the same for every order of results: all of the rung below.
  SearchDecision next() override {
    SearchDecision decision{halving_.next()};
    if (decision.action.kind == Kind::kStart) {
      decision.known["policy"] = policy_of(decision.action.candidate).dump();
    }
    return decision;
  }

  nlohmann::json policy_of(std::int64_t candidate) const override {
    return candidate_policy(experiment_, candidate);
  }

 private:
  Experiment experiment_;
  SynchronousHalving halving_;
};

class AdaptiveSearch::Asha : public Method {
 public:
  Asha(Experiment experiment, const AdaptivePlan& plan)
      : experiment_(drawn_by(std::move(experiment), plan.inner)), halving_(plan.halving) {}

  void observe(const RungResult& result) override { halving_.observe(result); }

  SearchDecision next() override {
    const HalvingDecision made = halving_.next();
    SearchDecision decision{made.action};
    decision.known = {{"observed", made.known.observed},
                      {"in_rung", made.known.in_rung},
                      {"places", made.known.places}};
    if (made.action.kind == Kind::kPromote) {
      decision.known["value"] = made.known.value;
      decision.known["cutoff"] = made.known.cutoff;
    } else if (made.action.kind == Kind::kStart) {
      decision.known["policy"] = policy_of(made.action.candidate).dump();
    }
    return decision;
  }

  nlohmann::json policy_of(std::int64_t candidate) const override {
    return candidate_policy(experiment_, candidate);
  }

 private:
  Experiment experiment_;
  AsynchronousHalving halving_;
};

class AdaptiveSearch::Tpe : public Method {
 public:
  Tpe(Experiment experiment, const AdaptivePlan& plan)
      : experiment_(std::move(experiment)),
        options_(plan.tpe),
        candidates_(static_cast<std::size_t>(plan.halving.candidates)) {}

  void observe(const RungResult& result) override {
    pending_.erase(result.candidate);
    observed_.push_back({points_.at(static_cast<std::size_t>(result.candidate)), result.value});
  }

  SearchDecision next() override {
    if (points_.size() == candidates_)
      return {{pending_.empty() ? Kind::kDone : Kind::kWait, 0, 0}};
    std::vector<Point> pending;
    for (const std::int64_t candidate : pending_) {
      pending.push_back(points_[static_cast<std::size_t>(candidate)]);
    }
    const auto number = static_cast<std::int64_t>(points_.size());
    const TpeProposal proposal =
        tpe_proposal(experiment_, observed_, pending, static_cast<std::uint64_t>(number), options_);
    points_.push_back(proposal.point);
    pending_.insert(number);
    SearchDecision decision{{Kind::kStart, number, 0}};
    decision.known = {{"observed", proposal.observed},
                      {"pending", proposal.pending},
                      {"good", proposal.good},
                      {"score", proposal.score},
                      {"policy", policy_of(number).dump()}};
    return decision;
  }

  nlohmann::json policy_of(std::int64_t candidate) const override {
    return candidate_at(experiment_, points_.at(static_cast<std::size_t>(candidate))).policy;
  }

 private:
  Experiment experiment_;
  TpeOptions options_;
  std::size_t candidates_;
  std::vector<Point> points_;  // by candidate
  std::vector<Observation> observed_;
  std::set<std::int64_t> pending_;
};

AdaptiveSearch::AdaptiveSearch(Experiment experiment, AdaptivePlan plan) : plan_(std::move(plan)) {
  assert(experiment.train.holes.empty());
  switch (plan_.method) {
    case AdaptiveMethod::kHalving:
      method_ = std::make_unique<Halving>(std::move(experiment), plan_);
      break;
    case AdaptiveMethod::kAsha:
      method_ = std::make_unique<Asha>(std::move(experiment), plan_);
      break;
    case AdaptiveMethod::kTpe:
      method_ = std::make_unique<Tpe>(std::move(experiment), plan_);
      break;
  }
}

AdaptiveSearch::~AdaptiveSearch() = default;
AdaptiveSearch::AdaptiveSearch(AdaptiveSearch&&) noexcept = default;
AdaptiveSearch& AdaptiveSearch::operator=(AdaptiveSearch&&) noexcept = default;

void AdaptiveSearch::observe(const RungResult& result) { method_->observe(result); }
SearchDecision AdaptiveSearch::next() { return method_->next(); }
nlohmann::json AdaptiveSearch::policy_of(std::int64_t candidate) const {
  return method_->policy_of(candidate);
}

std::optional<ReplayDifference> replay(AdaptiveSearch& search,
                                       std::span<const SearchLogEntry> log) {
  std::set<std::pair<std::int64_t, std::size_t>> running;
  for (std::size_t i = 0; i < log.size(); ++i) {
    const SearchLogEntry& entry = log[i];
    if (entry.result) {
      if (running.erase({entry.result->candidate, entry.result->rung}) == 0) {
        return ReplayDifference{
            i, {{Kind::kDone, entry.result->candidate, entry.result->rung}}, {}};
      }
      search.observe(*entry.result);
      continue;
    }
    const SearchDecision made = search.next();
    if (made != entry.decision) return ReplayDifference{i, entry.decision, made};
    running.emplace(made.action.candidate, made.action.rung);
  }
  return std::nullopt;
}

}  // namespace lrtune
