// SVHN's cropped digits (http://ufldl.stanford.edu/housenumbers): MATLAB files with X, bytes of
// 32 rows x 32 columns x 3 colours x samples, first index fastest, and y, the labels, where 10
// means the digit 0.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/result.h"
#include "worker/training/dataset.h"

namespace lrtune {

inline constexpr std::string_view kSvhnFiles[] = {"train_32x32.mat", "test_32x32.mat"};

// Reads and checks the two files, MATLAB 5 as they are published. They carry a date, so the
// fingerprint is over pixels and labels in the order of Dataset: the training part's, then the test
// part's. Errors name the file, what was expected and what was found.
Result<Dataset> load_svhn(const std::filesystem::path& folder);

}  // namespace lrtune
