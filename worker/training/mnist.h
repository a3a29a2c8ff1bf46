// MNIST and sets in its form: four IDX files of 28x28 grey images, ten classes.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/result.h"
#include "worker/training/dataset.h"

namespace lrtune {

inline constexpr std::string_view kIdxFiles[] = {
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte"};

// Reads and checks the four files in `folder`. A file without .gz goes before the one with it. The
// fingerprint is over their contents, in the order of kIdxFiles. Errors name the file, what was
// expected and what was found.
Result<Dataset> load_mnist(const std::filesystem::path& folder);

}  // namespace lrtune
