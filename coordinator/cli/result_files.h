// The output folder of a run: results.csv, ranking.json, best.yaml, learning-rate.svg,
// accuracy.svg, loss.svg; where M-opt is measured m-opt.csv and m-opt-trial-N.svg of the best.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"
#include "coordinator/report/results.h"

namespace lrtune {

// Writes all files into `folder`, which exists; each replaces an older one as a whole. Without a
// policy that ended well there is neither best.yaml nor a plot. Returns the paths. Errors: a file
// cannot be written.
Result<std::vector<std::filesystem::path>> write_result_files(const CampaignResults& results,
                                                              const std::filesystem::path& folder);

// Writes texts by file name into `folder`, which exists; each replaces an older one as a whole.
Result<std::vector<std::filesystem::path>> write_files(
    const std::vector<std::pair<std::string, std::string>>& files,
    const std::filesystem::path& folder);

}  // namespace lrtune
