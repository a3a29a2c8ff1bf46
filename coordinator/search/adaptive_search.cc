#include "coordinator/search/adaptive_search.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "common/config/campaign_size.h"
#include "coordinator/search/search.h"
#include "coordinator/search/search_point.h"

namespace lrtune {

using Kind = HalvingAction::Kind;

namespace {

AdaptivePlan tpe_plan(const Experiment& experiment, const RunPlan& plan) {
  AdaptivePlan made;
  made.method = AdaptiveMethod::kTpe;
  made.halving.candidates = experiment.count;
  made.halving.rungs = {plan.iterations};
  made.tpe = {.startup = experiment.tpe_startup,
              .good = experiment.tpe_good,
              .draws = experiment.tpe_draws};
  return made;
}

Result<AdaptivePlan> tree_plan(const Experiment& experiment, const RunPlan& plan,
                               const TrainSpec& train, const DataFacts& data) {
  auto boundaries = boundaries_of(experiment, plan, train, data);
  if (!boundaries) return tl::unexpected(boundaries.error());
  const auto tries = segment_tries(experiment);
  if (!tries) return tl::unexpected(tries.error());
  AdaptivePlan made;
  made.method = AdaptiveMethod::kTree;
  made.halving.rungs = *std::move(boundaries);
  made.halving.rungs.push_back(plan.iterations);
  made.inner = experiment.drawn_by;
  made.tries = *tries;
  made.keep = experiment.keep;
  return made;
}

}  // namespace

Result<AdaptivePlan> adaptive_plan(const Experiment& experiment, const RunPlan& plan,
                                   const TrainSpec& train, const DataFacts& data) {
  assert(decides_by_results(experiment.method));
  if (experiment.method == SearchMethod::kTpe) return tpe_plan(experiment, plan);
  if (experiment.method == SearchMethod::kTree) return tree_plan(experiment, plan, train, data);
  const auto first_rung = first_rung_of(experiment, plan, train, data);
  if (!first_rung) return tl::unexpected(first_rung.error());
  AdaptivePlan made;
  made.method =
      experiment.method == SearchMethod::kAsha ? AdaptiveMethod::kAsha : AdaptiveMethod::kHalving;
  made.halving.candidates = experiment.count;
  made.halving.eta = experiment.eta;
  made.halving.rungs = halving_rungs(*first_rung, plan.iterations, experiment.eta);
  made.inner = experiment.drawn_by;
  return made;
}

SearchExtent most_of(const AdaptivePlan& plan) {
  const bool tree = plan.method == AdaptiveMethod::kTree;
  SearchExtent most{tree ? plan.tries : plan.halving.candidates, 0};
  std::int64_t members = most.candidates;  // of the rung
  std::int64_t below = 0;
  for (const std::int64_t rung : plan.halving.rungs) {
    if (below > 0 && tree) {
      const std::int64_t kept = std::min(plan.keep, members);
      most.candidates += kept * plan.tries;
      members = kept * (1 + plan.tries);
    } else if (below > 0) {
      members = std::max<std::int64_t>(1, members / plan.halving.eta);
    }
    most.iterations += members * (rung - below);
    below = rung;
  }
  return most;
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
    std::vector<SearchPoint> pending;
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
  std::vector<SearchPoint> points_;  // by candidate
  std::vector<Observation> observed_;
  std::set<std::int64_t> pending_;
};

// A candidate's policy: the segments of its parent, and a new one from the boundary on.
class AdaptiveSearch::Tree : public Method {
 public:
  Tree(Experiment experiment, const AdaptivePlan& plan)
      : experiment_(drawn_by(std::move(experiment), plan.inner)),
        rungs_(plan.halving.rungs),
        tree_(
            {plan.halving.rungs, plan.tries, plan.keep},
            [this](std::int64_t parent, std::int64_t number) { return repeats(parent, number); }) {}

  void observe(const RungResult& result) override { tree_.observe(result); }

  // What is known is the same for every order of results: all of the rung below.
  SearchDecision next() override {
    const TreeAction made = tree_.next();
    SearchDecision decision{made.action};
    if (made.action.kind == Kind::kStart) {
      segments_.push_back(segments_of(made));
      decision.known["policy"] = policy_of(made.action.candidate).dump();
      if (made.parent) decision.known["parent"] = *made.parent;
    } else if (made.action.kind == Kind::kPromote) {
      decision.known["value"] = tree_.value_of(made.action.candidate);
      decision.known["in_rung"] = tree_.members_below();
    }
    return decision;
  }

  nlohmann::json policy_of(std::int64_t candidate) const override {
    const auto& segments = segments_.at(static_cast<std::size_t>(candidate));
    return segments.size() == 1 ? segments.front() : nlohmann::json{{"segments", segments}};
  }

 private:
  // A constant rate goes on as it is whether its function begins anew or not. Of what is drawn
  // nothing comes twice but by chance.
  bool repeats(std::int64_t parent, std::int64_t number) const {
    if (experiment_.method != SearchMethod::kGrid) return false;
    nlohmann::json segment = candidate_policy(experiment_, number);
    segment.erase("name");
    return segment.at("function") == "fix" &&
           segment == segments_.at(static_cast<std::size_t>(parent)).back();
  }
  std::vector<nlohmann::json> segments_of(const TreeAction& start) const {
    const bool all = experiment_.method == SearchMethod::kGrid;
    nlohmann::json segment =
        candidate_policy(experiment_, all ? start.number : start.action.candidate);
    segment.erase("name");
    if (!start.parent) return {segment};
    std::vector<nlohmann::json> segments = segments_.at(static_cast<std::size_t>(*start.parent));
    close(segments, rungs_.at(start.action.rung - 1));
    segments.push_back(std::move(segment));
    return segments;
  }
  // The last segment ends at `boundary`, with the rates that it has had until then: poly's length,
  // if it is left to the run, is what is left of the run where it begins.
  void close(std::vector<nlohmann::json>& segments, std::int64_t boundary) const {
    const std::int64_t begins =
        segments.size() < 2 ? 0 : segments.at(segments.size() - 2).at("until").get<std::int64_t>();
    nlohmann::json& last = segments.back();
    if (last.at("function") == "poly" && !last.contains("l")) last["l"] = rungs_.back() - begins;
    last["until"] = boundary;
  }

  Experiment experiment_;
  const std::vector<std::int64_t> rungs_;
  TreeSearch tree_;
  std::vector<std::vector<nlohmann::json>> segments_;  // by candidate
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
    case AdaptiveMethod::kTree:
      method_ = std::make_unique<Tree>(std::move(experiment), plan_);
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
