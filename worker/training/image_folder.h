// A folder of JPEGs, as ImageNet is laid out: train/CLASS/*.jpg and val/CLASS/*.jpg.
#pragma once

#include <filesystem>

#include "common/result.h"
#include "worker/training/dataset.h"

namespace lrtune {

// The classes are the folders in `train`, numbered in the order of their names; `val`, or `test` if
// there is none, has some of them. Files end in jpg or jpeg, in any case; others are passed over.
// Samples are in the order of class and name. Images are not decoded here: one that is damaged is
// found when it is used.
//
// The fingerprint is SHA-256 over a line for each sample: part, label, SHA-256 of its file, name.
// So all files are read once; `cache` (a folder, or empty) keeps their hashes (file_digests.h).
// Errors name the folder: no class, no image in a part, a class of `val` that `train` lacks.
Result<Dataset> load_image_folder(const std::filesystem::path& folder,
                                  const std::filesystem::path& cache);

}  // namespace lrtune
