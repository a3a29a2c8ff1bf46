// A policy for a run of another length.
#pragma once

#include "common/policy/policy.h"

namespace lrtune {

// `policy` with its time multiplied by `ratio`, above 0: the rate at ratio * t is what it was at t.
// Lengths (l, until, from_t, boundaries) are multiplied and rounded, at least 1; powers of gamma
// take the ratio's root, slopes of inv and sig are divided by it.
Policy stretched(Policy policy, double ratio);

}  // namespace lrtune
