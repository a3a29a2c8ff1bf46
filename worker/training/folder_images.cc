#include "worker/training/folder_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <fstream>

#include "worker/training/jpeg_crop.h"

namespace lrtune {
namespace {

constexpr std::int64_t kNotTraining = -1;

Result<std::vector<std::uint8_t>> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<std::uint8_t> bytes;
  if (file) {
    bytes.resize(static_cast<std::size_t>(std::max<std::streamoff>(0, file.tellg())));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  if (!file) return fail(fmt::format("{}: cannot be read", path.string()));
  return bytes;
}

}  // namespace

// How the decoding of one image went.
struct FolderImages::Image {
  std::string corrupt;  // why it cannot be decoded; empty if it was
  std::string failure;  // why not even that is known
};

struct FolderImages::Request {
  Part file = Part::kTrain;
  std::int64_t iteration = kNotTraining;
  std::vector<std::int64_t> samples;
  bool operator==(const Request&) const = default;
};

struct FolderImages::Pending {
  Request request;
  std::vector<std::uint8_t> pixels;
  std::vector<Image> images;
  std::shared_ptr<DecodePool::Work> work;
};

FolderImages::FolderImages(const TrainingJob& job, const Dataset& dataset, const Split& split,
                           DecodeOptions options)
    : job_(job),
      dataset_(dataset),
      split_(split),
      options_(std::move(options)),
      image_bytes_(static_cast<std::size_t>(job.identity.train.input.size) *
                   static_cast<std::size_t>(job.identity.train.input.size) * 3),
      order_(job.seed, std::ssize(split.train)),
      pool_(options_.threads) {}

FolderImages::~FolderImages() = default;

std::int64_t FolderImages::sample_at(std::int64_t position) {
  std::int64_t sample = 0;
  order_.fill(position, {&sample, 1});
  return split_.train[static_cast<std::size_t>(sample)];
}

FolderImages::Request FolderImages::training_request(std::int64_t iteration) {
  const std::int64_t batch = job_.identity.train.batch;
  Request request{.file = Part::kTrain, .iteration = iteration, .samples = {}};
  for (std::int64_t i = 0; i < batch; ++i) {
    request.samples.push_back(sample_at(iteration * batch + i));
  }
  return request;
}

// Runs on the pool's threads.
void FolderImages::decode(const Request& request, std::size_t place, std::span<std::uint8_t> out,
                          Image& image) const {
  const InputSpec& input = job_.identity.train.input;
  const auto sample = static_cast<std::size_t>(request.samples[place]);
  try {
    const auto bytes = read_file(dataset_.folder / part(request.file).files[sample]);
    if (!bytes) {
      image.failure = bytes.error().message;
      return;
    }
    const CropKey key{job_.seed, request.iteration, static_cast<std::int64_t>(place)};
    const auto decoded = request.iteration == kNotTraining
                             ? evaluation_image(*bytes, input, out)
                             : training_image(*bytes, input, key, out);
    if (!decoded) image.corrupt = decoded.error().message;
  } catch (const std::exception& error) {  // memory ran out
    image.failure = error.what();
  }
}

void FolderImages::start(Queue& queue, Request request) {
  auto pending = std::make_shared<Pending>();
  const std::size_t count = request.samples.size();
  pending->request = std::move(request);
  pending->pixels.resize(count * image_bytes_);
  pending->images.resize(count);
  Pending* const batch = pending.get();  // in the queue until its work is done
  pending->work = pool_.start(count, [this, batch](std::size_t place) {
    decode(batch->request, place,
           std::span(batch->pixels).subspan(place * image_bytes_, image_bytes_),
           batch->images[place]);
  });
  queue.push_back(std::move(pending));
  most_held_ = std::max(most_held_, training_.size() + evaluation_.size());
}

void FolderImages::drop(Queue& queue) {
  for (const auto& pending : queue) pool_.drop(*pending->work);
  queue.clear();
}

// Keeps what is known of the image; the error if it ends the run.
Result<void> FolderImages::note(const Request& request, std::size_t place, const Image& image) {
  if (!image.failure.empty()) return fail(image.failure);
  if (image.corrupt.empty()) return {};
  const std::int64_t sample = request.samples[place];
  const std::string path =
      (dataset_.folder / part(request.file).files[static_cast<std::size_t>(sample)]).string();
  if (job_.identity.train.input.corrupt == Corrupt::kStop)
    return fail(fmt::format("{} {} (input.corrupt: stop)", path, image.corrupt));
  if (corrupt_.insert({request.file == Part::kTest, sample}).second) {
    if (first_corrupt_.empty()) first_corrupt_ = path;
    options_.log(fmt::format("skips {}: {}", path, image.corrupt));
  }
  return {};
}

// Puts the next readable sample of the order in the place of one that is not.
Result<void> FolderImages::replace(Pending& pending, std::size_t place) {
  const Request& request = pending.request;
  const std::int64_t position =
      request.iteration * job_.identity.train.batch + static_cast<std::int64_t>(place);
  const auto out = std::span(pending.pixels).subspan(place * image_bytes_, image_bytes_);
  // Two epochs hold every sample, wherever the first begins.
  for (std::int64_t ahead = 1; ahead < 2 * std::ssize(split_.train); ++ahead) {
    pending.request.samples[place] = sample_at(position + ahead);
    if (corrupt_.contains({false, pending.request.samples[place]})) continue;
    Image image;
    decode(request, place, out, image);
    if (auto noted = note(request, place, image); !noted) return noted;
    if (image.corrupt.empty()) return {};
  }
  return fail(fmt::format("{}: no image of the training part can be decoded",
                          (dataset_.folder / "train").string()));
}

Result<DecodedBatch> FolderImages::training_batch(std::int64_t iteration) {
  if (!training_.empty() && training_.front()->request.iteration != iteration) drop(training_);
  const std::int64_t end = std::max(job_.plan.iterations, iteration + 1);
  for (std::int64_t next = iteration + std::ssize(training_);
       training_.size() < kAhead && next < end; ++next) {
    start(training_, training_request(next));
  }
  const auto pending = training_.front();
  pool_.finish(*pending->work);
  for (std::size_t i = 0; i < pending->images.size(); ++i) {
    if (auto noted = note(pending->request, i, pending->images[i]); !noted)
      return tl::unexpected(noted.error());
    if (pending->images[i].corrupt.empty()) continue;
    if (auto replaced = replace(*pending, i); !replaced) return tl::unexpected(replaced.error());
  }
  DecodedBatch batch = delivered(*pending);
  training_.pop_front();
  return batch;
}

Result<DecodedBatch> FolderImages::evaluation_batch(Part file,
                                                    std::span<const std::int64_t> samples,
                                                    std::size_t first, std::size_t count) {
  const auto request_at = [&](std::size_t at) {
    const auto chosen = samples.subspan(at, std::min(count, samples.size() - at));
    return Request{.file = file,
                   .iteration = kNotTraining,
                   .samples = std::vector(chosen.begin(), chosen.end())};
  };
  if (!evaluation_.empty() && evaluation_.front()->request != request_at(first)) drop(evaluation_);
  for (std::size_t next = first + evaluation_.size() * count;
       evaluation_.size() < kAhead && next < samples.size(); next += count) {
    start(evaluation_, request_at(next));
  }
  const auto pending = evaluation_.front();
  pool_.finish(*pending->work);
  for (std::size_t i = 0; i < pending->images.size(); ++i) {
    if (auto noted = note(pending->request, i, pending->images[i]); !noted)
      return tl::unexpected(noted.error());
  }
  DecodedBatch batch = delivered(*pending);
  evaluation_.pop_front();
  return batch;
}

// Without what was left out.
DecodedBatch FolderImages::delivered(Pending& pending) const {
  const Request& request = pending.request;
  DecodedBatch batch;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < request.samples.size(); ++i) {
    if (request.iteration == kNotTraining && !pending.images[i].corrupt.empty()) continue;
    const auto from = pending.pixels.begin() + static_cast<std::ptrdiff_t>(i * image_bytes_);
    const auto to = pending.pixels.begin() + static_cast<std::ptrdiff_t>(kept * image_bytes_);
    if (from != to) std::copy_n(from, image_bytes_, to);
    ++kept;
    const auto sample = static_cast<std::size_t>(request.samples[i]);
    batch.classes.push_back(part(request.file).labels[sample]);
  }
  pending.pixels.resize(kept * image_bytes_);
  batch.pixels = std::move(pending.pixels);
  return batch;
}

std::string FolderImages::remarks() const {
  if (corrupt_.empty()) return {};
  return fmt::format("skipped {} of {} images that cannot be decoded, first {}", corrupt_.size(),
                     dataset_.train.samples() + dataset_.test.samples(), first_corrupt_);
}

}  // namespace lrtune
