// Which beginnings several runs share: each is a stage that is trained once, and the runs go on
// from its end. Pure. docs/ARCHITECTURE.md, Stages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/policy/policy.h"

namespace lrtune {

// Runs that differ in nothing but their policy and length. No two of them are the same.
struct SharedRun {
  const Policy* policy;     // has a segment
  std::int64_t iterations;  // 0 or more
};

// Iterations [0, end) of a run, which at least two runs have in common, bit by bit.
struct SharedStage {
  std::size_t run = 0;                // one of them; if one of them ends at `end`, such a one
  std::int64_t end = 0;               // iterations, above 0
  std::optional<std::size_t> parent;  // the stage that it goes on from
};

struct StagePlan {
  std::vector<SharedStage> stages;               // parents first
  std::vector<std::optional<std::size_t>> from;  // of each run: the last stage that it goes on from
};

// A stage saves at least `least` iterations, all runs together: what it costs is one evaluation, a
// checkpoint, and a wait of the runs that need it.
StagePlan plan_stages(std::span<const SharedRun> runs, std::int64_t least);

// The first iteration in [from, to) at which the rates of `a` and `b` differ in a bit; `to` if
// there is none.
std::int64_t first_difference(const Policy& a, const Policy& b, std::int64_t from, std::int64_t to);

}  // namespace lrtune
