// Policies to start with on a training that has none of its own: those of similar ones, for its
// length (docs/RECOMMENDATION.md).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/policy/policy.h"
#include "common/training.h"
#include "coordinator/ranking/published.h"

namespace lrtune {

// A policy that did something somewhere.
struct KnownPolicy {
  Policy policy;
  std::string dataset;
  std::string model;
  std::string optimizer;
  std::int64_t iterations = 0;  // of its run
  double top1 = 0;              // highest during the run, mean of its runs
  bool measured = false;        // by this store; else published
  std::string source;           // "Table 6", "policy 4 of the store, 3 runs"
  // What a survey found of the data, and the side of a folder's images.
  std::optional<DataFacts> facts = {};
  int side = 0;
};

std::vector<KnownPolicy> known_policies(const PublishedContent& content);

struct NewTraining {
  std::string dataset;
  std::string model;
  std::string optimizer;
  std::int64_t iterations = 0;
  std::optional<DataFacts> facts = {};
  int side = 0;
  // Iterations between evaluations, of which a controller's observations are a multiple; 0: any.
  std::int64_t evaluate_every = 0;
};

struct Recommendation {
  Policy policy;  // for the new run's length
  KnownPolicy from;
  double similarity = 0;  // of the trainings: data sets times networks times optimizers
  std::string evidence;   // one sentence
};

// Less alike than this, trainings tell nothing of each other.
inline constexpr double kLeastSimilarity = 0.6;
// Of the policies of one training only those are worth a recommendation that reached this share of
// its best one's top-1.
inline constexpr double kLeastOfBest = 0.95;

// At most `top`, each policy once: by similarity, measured ones first, then by top-1.
std::vector<Recommendation> recommend(std::span<const KnownPolicy> known, const NewTraining& run,
                                      std::size_t top);

}  // namespace lrtune
