// CIFAR-10 and CIFAR-100 in their binary form (https://www.cs.toronto.edu/~kriz/cifar.html): one
// record an image, of a label (CIFAR-100: coarse, then fine) and 32x32 pixels, all of red, then
// green, then blue.
#pragma once

#include <filesystem>

#include "common/result.h"
#include "worker/training/dataset.h"

namespace lrtune {

// Reads and checks the files of a folder: data_batch_1.bin to data_batch_5.bin and test_batch.bin;
// train.bin and test.bin, whose fine labels are taken. Each may be gzipped (.gz). Fingerprint: over
// the contents, in this order. Errors name the file, what was expected and what was found.
Result<Dataset> load_cifar10(const std::filesystem::path& folder);
Result<Dataset> load_cifar100(const std::filesystem::path& folder);

}  // namespace lrtune
