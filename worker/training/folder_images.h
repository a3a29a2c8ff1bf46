// Batches of decoded images of a folder, ahead of those who ask for them. No LibTorch.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"
#include "worker/training/dataset.h"
#include "worker/training/decode_pool.h"
#include "worker/training/sampler.h"
#include "worker/training/trainer.h"

namespace lrtune {

struct DecodedBatch {
  std::vector<std::uint8_t> pixels;   // samples x size x size x 3
  std::vector<std::int64_t> classes;  // one a sample
};

// One run's; not thread-safe. Holds at most kAhead training batches and as many for evaluation,
// pixels as bytes, beside those that it gave away.
//
// An image that cannot be decoded: with Corrupt::kSkip the next readable sample of the run's
// endless order (sampler.h) takes its place in a training batch, so that the batch depends on seed,
// iteration and data alone; an evaluated one is left out. Each such file is logged once.
class FolderImages {
 public:
  static constexpr std::size_t kAhead = 3;

  // The arguments must outlive it.
  FolderImages(const TrainingJob& job, const Dataset& dataset, const Split& split,
               DecodeOptions options);
  ~FolderImages();

  // As BatchSource's (batch_source.h). Errors: a file that cannot be read; with Corrupt::kStop one
  // that cannot be decoded; no image of the training part can be.
  Result<DecodedBatch> training_batch(std::int64_t iteration);
  Result<DecodedBatch> evaluation_batch(Part file, std::span<const std::int64_t> samples,
                                        std::size_t first, std::size_t count);
  std::string remarks() const;

  std::size_t most_held() const { return most_held_; }  // batches at one time so far

 private:
  struct Image;
  struct Request;
  struct Pending;
  using Queue = std::deque<std::shared_ptr<Pending>>;

  Request training_request(std::int64_t iteration);
  std::int64_t sample_at(std::int64_t position);
  void start(Queue& queue, Request request);
  void drop(Queue& queue);
  void decode(const Request& request, std::size_t place, std::span<std::uint8_t> out,
              Image& image) const;
  Result<void> note(const Request& request, std::size_t place, const Image& image);
  Result<void> replace(Pending& pending, std::size_t place);
  DecodedBatch delivered(Pending& pending) const;
  const ImagePart& part(Part file) const {
    return file == Part::kTest ? dataset_.test : dataset_.train;
  }

  const TrainingJob& job_;
  const Dataset& dataset_;
  const Split& split_;
  const DecodeOptions options_;
  const std::size_t image_bytes_;
  SampleOrder order_;
  Queue training_;
  Queue evaluation_;
  std::set<std::pair<bool, std::int64_t>> corrupt_;  // (of the test file, sample)
  std::string first_corrupt_;                        // path
  std::size_t most_held_ = 0;
  DecodePool pool_;  // last: its threads end before what they work on
};

}  // namespace lrtune
