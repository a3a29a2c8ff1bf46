// Lengths in an experiment, in iterations or epochs. Inside of common/config.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/config/experiment.h"
#include "common/json_reader.h"

namespace lrtune {

// Of a run, and of all that is said in iterations of it. The coordinator computes a hash for each
// iteration of a run that it plans, in one step: these take it some seconds.
inline constexpr std::int64_t kMostIterations = 20'000'000;
inline constexpr double kMostEpochs = 1e6;

// `value`, that of `key`: at least `least` iterations, or epochs. `what` names it in the error that
// the reader gets.
RunLength read_iterations(ObjectReader& reader, const char* key, const nlohmann::json& value,
                          const std::string& what, std::int64_t least);

}  // namespace lrtune
