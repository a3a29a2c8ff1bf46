#include "coordinator/ranking/recommendation.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "coordinator/ranking/similarity.h"
#include "coordinator/ranking/stretch.h"

namespace lrtune {
namespace {

DataProfile data_of(const KnownPolicy& known) {
  return data_profile(known.dataset, known.facts, known.side);
}
DataProfile data_of(const NewTraining& run) {
  return data_profile(run.dataset, run.facts, run.side);
}

double similarity_of(const KnownPolicy& known, const NewTraining& run) {
  return similarity(data_of(known), data_of(run)) * network_similarity(known.model, run.model) *
         optimizer_similarity(known.optimizer, run.optimizer);
}

std::string evidence_of(const Recommendation& made, const NewTraining& run, double ratio) {
  const KnownPolicy& from = made.from;
  const std::string stretch =
      ratio == 1 ? "the run is as long"
                 : fmt::format("its time is multiplied by {:.4g} for {} iterations", ratio,
                               run.iterations);
  return fmt::format(
      "{} reached top-1 {:.4f} ({}, {}) with {} on {} under {} in {} iterations; similarity {:.2f} "
      "to {} on {} under {} ({}); {}.",
      describe(from.policy), from.top1, from.measured ? "measured" : "published, not measured",
      from.source, from.model, from.dataset, from.optimizer, from.iterations, made.similarity,
      run.model, run.dataset, run.optimizer, similarity_words(data_of(from), data_of(run)),
      stretch);
}

using Training = std::tuple<std::string, Digest, std::string, std::string, std::int64_t, bool>;

Training training_of(const KnownPolicy& one) {
  return {one.dataset,    one.facts ? one.facts->fingerprint : Digest{},
          one.model,      one.optimizer,
          one.iterations, one.measured};
}

}  // namespace

std::vector<KnownPolicy> known_policies(const PublishedContent& content) {
  std::vector<KnownPolicy> known;
  for (const PublishedPolicy& one : content.policies) {
    if (!one.top1) continue;
    known.push_back({one.policy, one.keys.dataset, one.keys.model, one.keys.optimizer,
                     one.iterations, *one.top1, false, one.source});
  }
  return known;
}

std::vector<Recommendation> recommend(std::span<const KnownPolicy> known, const NewTraining& run,
                                      std::size_t top) {
  std::map<Training, double> best;
  for (const KnownPolicy& one : known) {
    double& so_far = best[training_of(one)];
    so_far = std::max(so_far, one.top1);
  }
  std::vector<Recommendation> all;
  for (const KnownPolicy& one : known) {
    const double similarity = similarity_of(one, run);
    if (similarity < kLeastSimilarity || one.top1 < kLeastOfBest * best[training_of(one)]) continue;
    all.push_back({{}, one, similarity, {}});
  }
  std::stable_sort(all.begin(), all.end(), [](const Recommendation& a, const Recommendation& b) {
    return std::tuple(a.similarity, a.from.measured, a.from.top1) >
           std::tuple(b.similarity, b.from.measured, b.from.top1);
  });
  std::vector<Recommendation> picked;
  for (Recommendation& one : all) {
    if (picked.size() == top) break;
    // Rates depend on the iterations that the run has: a cycle stays the same share of it, and the
    // last segment ends where the run does.
    const double ratio =
        static_cast<double>(run.iterations) / static_cast<double>(one.from.iterations);
    one.policy = stretched(one.from.policy, ratio);
    if (one.policy.plateau && run.evaluate_every > 0) {
      std::int64_t& every = one.policy.plateau->every;
      every = std::max<std::int64_t>(1, every / run.evaluate_every) * run.evaluate_every;
    }
    const bool known_already =
        std::any_of(picked.begin(), picked.end(),
                    [&](const Recommendation& other) { return other.policy == one.policy; });
    if (known_already) continue;
    one.evidence = evidence_of(one, run, ratio);
    picked.push_back(std::move(one));
  }
  return picked;
}

}  // namespace lrtune
