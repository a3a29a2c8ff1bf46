// A folder of JPEGs: what is found in it, its fingerprint, batches that are decoded ahead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/jpeg_files.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/datasets.h"
#include "worker/training/folder_images.h"
#include "worker/training/image_folder.h"
#include "worker/training/jpeg_crop.h"

namespace lrtune {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

constexpr std::int64_t kBatch = 8;

class FolderTest : public ::testing::Test {
 protected:
  FolderTest() { write_jpeg_folder(data_); }
  Result<Dataset> load() const {
    auto dataset = load_image_folder(data_, cache_);
    if (dataset) dataset->folder = data_;
    return dataset;
  }
  std::string error() const {
    const auto dataset = load();
    return dataset ? "no error" : dataset.error().message;
  }
  Digest fingerprint() const { return load().value().fingerprint; }

  TemporaryFolder folder_;
  fs::path data_ = folder_.path() / "images";
  fs::path cache_ = folder_.path() / "cache" / "digests";
};

TEST_F(FolderTest, FindsClassesAndFilesInOrder) {
  std::ofstream(data_ / "train" / "green" / "notes.txt") << "not an image";
  const auto dataset = load();
  ASSERT_TRUE(dataset) << dataset.error().message;
  EXPECT_EQ(dataset->classes, 3);
  EXPECT_EQ(dataset->channels, 3);
  EXPECT_EQ(dataset->train.samples(), 36);
  EXPECT_EQ(dataset->test.samples(), 12);
  EXPECT_EQ(dataset->train.files[0], "train/blue/00.jpg");
  EXPECT_EQ(dataset->train.files[1], "train/blue/01.JPEG");
  EXPECT_EQ(dataset->train.files[12], "train/green/00.jpg");
  EXPECT_EQ(dataset->train.labels[12], 1);
  EXPECT_EQ(dataset->test.files[11], "val/red/03.jpg");
  EXPECT_EQ(dataset->test.labels[11], 2);
}

TEST_F(FolderTest, IsFoundByName) {
  const DatasetSpec spec{.name = "imagefolder", .path = data_};
  EXPECT_EQ(find_dataset(spec, {}).value(), data_);
  fs::rename(data_, folder_.path() / "imagefolder");
  EXPECT_EQ(find_dataset({.name = "imagefolder"}, {.lrtune_data = folder_.path()}).value(),
            folder_.path() / "imagefolder");
}

TEST_F(FolderTest, ErrorsNameTheFolder) {
  fs::create_directories(data_ / "val" / "yellow");
  EXPECT_THAT(error(), AllOf(HasSubstr("val: the class yellow is not in"), HasSubstr("train")));
  fs::remove_all(data_ / "val");
  EXPECT_THAT(error(), HasSubstr("images: no folder val (nor test) beside train"));
  fs::create_directories(data_ / "test" / "red");
  EXPECT_THAT(error(), HasSubstr("images/test: no images CLASS/*.jpg or *.jpeg"));
  fs::remove_all(data_ / "train");
  EXPECT_THAT(error(), HasSubstr("images/train: No such file"));
  fs::create_directories(data_ / "train");
  EXPECT_THAT(error(), HasSubstr("images/train: no folders of classes"));
}

TEST_F(FolderTest, FingerprintFollowsContentsNamesAndLabels) {
  const Digest first = fingerprint();
  EXPECT_EQ(fingerprint(), first) << "from the cache";
  fs::rename(data_ / "val", data_ / "test");
  EXPECT_EQ(fingerprint(), first) << "test is val by another name";
  fs::rename(data_ / "train/red/02.jpg", data_ / "train/red/99.jpg");
  const Digest renamed = fingerprint();
  EXPECT_NE(renamed, first);
  fs::rename(data_ / "train/red/99.jpg", data_ / "train/blue/99.jpg");
  const Digest moved = fingerprint();
  EXPECT_NE(moved, renamed);
  Bytes bytes = read_bytes(data_ / "train/blue/99.jpg");
  bytes[bytes.size() / 2] ^= 1;  // of the same size
  fs::remove(data_ / "train/blue/99.jpg");
  write_bytes(data_ / "train/blue/99.jpg", bytes);
  fs::last_write_time(data_ / "train/blue/99.jpg", fs::file_time_type::clock::now());
  EXPECT_NE(fingerprint(), moved);
}

// Stores and campaigns name data by this: it may never change for the same files.
TEST_F(FolderTest, FingerprintIsThatOfTheLinesThatTheHeaderSays) {
  const fs::path few = folder_.path() / "few";
  for (const char* file : {"train/a/1.jpg", "train/b/2.jpg", "val/b/3.jpg"}) {
    fs::create_directories((few / file).parent_path());
    std::ofstream(few / file) << file;
  }
  std::string lines;
  for (const auto& [start, file] : {std::pair("train 0 ", "train/a/1.jpg"),
                                    {"train 1 ", "train/b/2.jpg"},
                                    {"test 1 ", "val/b/3.jpg"}}) {
    const std::string below(file);
    lines += start + sha256(below).hex() + " " + below.substr(below.find('/') + 1) + "\n";
  }
  EXPECT_EQ(load_image_folder(few, {})->fingerprint, sha256(lines));
}

TEST_F(FolderTest, UnchangedFilesAreNotReadAgain) {
  const Digest first = fingerprint();
  // A file that changed without a trace: only the cache can say that it did not.
  const fs::path file = data_ / "train/red/02.jpg";
  const auto time = fs::last_write_time(file);
  const Bytes bytes = read_bytes(file);
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary) << "no jpeg";
  fs::last_write_time(file, time);
  EXPECT_EQ(fingerprint(), first);
  fs::remove_all(cache_);
  EXPECT_NE(fingerprint(), first);
  write_bytes(file, bytes);
  fs::last_write_time(file, time + std::chrono::seconds(1));
  EXPECT_EQ(fingerprint(), first);
}

TEST_F(FolderTest, ADamagedCacheCostsNothingButTime) {
  const Digest first = fingerprint();
  ASSERT_FALSE(fs::is_empty(cache_));
  for (const auto& entry : fs::directory_iterator(cache_)) {
    std::ofstream(entry.path()) << "zz 1 2 3 train/red/02.jpg\n\n" << std::string(64, 'a');
  }
  EXPECT_EQ(fingerprint(), first);
  fs::remove_all(cache_);
  std::ofstream(cache_) << "a file where the folder should be";
  EXPECT_EQ(fingerprint(), first);
}

class FolderImagesTest : public FolderTest {
 protected:
  TrainingJob job() const {
    TrainingJob job{.identity = {}, .policy = {}, .seed = 3, .plan = {.iterations = 20}};
    job.identity.train.batch = kBatch;
    job.identity.train.input = {.augment = {.area = 0.3, .flip = true}, .size = 12, .resize = 14};
    return job;
  }
  void spoil(const std::string& file) const {
    const Bytes jpeg = read_bytes(data_ / file);
    write_bytes(data_ / file, without_end(jpeg, jpeg.size() / 2));
  }
  void make(const TrainingJob& job, int threads) {
    images_.reset();
    job_ = job;
    dataset_ = load().value();
    split_ = split_training_data(dataset_.train.samples(), 0.2).value();
    logged_.clear();
    images_ = std::make_unique<FolderImages>(
        job_, dataset_, split_,
        DecodeOptions{.threads = threads,
                      .log = [this](const std::string& text) { logged_.push_back(text); }});
  }
  Bytes everything(int threads, std::int64_t from = 0) {
    make(job(), threads);
    Bytes all;
    for (std::int64_t i = from; i < job_.plan.iterations; ++i) {
      const DecodedBatch batch = images_->training_batch(i).value();
      all.insert(all.end(), batch.pixels.begin(), batch.pixels.end());
      all.insert(all.end(), batch.classes.begin(), batch.classes.end());
    }
    return all;
  }

  TrainingJob job_;
  Dataset dataset_;
  Split split_;
  std::vector<std::string> logged_;
  std::unique_ptr<FolderImages> images_;
};

TEST_F(FolderImagesTest, ThreadsDecideNothing) {
  spoil("train/red/03.jpg");
  const Bytes one = everything(1);
  EXPECT_EQ(one.size(), 20u * kBatch * (12 * 12 * 3 + 1));
  EXPECT_EQ(everything(3), one);
  EXPECT_EQ(everything(9), one);
}

TEST_F(FolderImagesTest, AnyOrderOfIterationsGivesTheSame) {
  for (const char* file : {"train/red/03.jpg", "train/blue/00.jpg", "train/blue/07.jpg"})
    spoil(file);
  const Bytes all = everything(2);
  const Bytes from_seven = everything(2, 7);
  EXPECT_TRUE(std::equal(from_seven.rbegin(), from_seven.rend(), all.rbegin()));
  make(job(), 2);
  const DecodedBatch nine = images_->training_batch(9).value();
  images_->training_batch(4).value();
  EXPECT_EQ(images_->training_batch(9)->pixels, nine.pixels);
  EXPECT_EQ(images_->training_batch(9)->pixels, nine.pixels) << "the same again";
}

TEST_F(FolderImagesTest, HoldsFewBatchesWhateverIsAskedFor) {
  make(job(), 3);
  const std::vector<std::int64_t> samples = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  for (std::int64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(images_->training_batch(i % 7 == 3 ? 19 - i : i));
    for (std::size_t first = 0; first < samples.size(); first += 2) {
      const auto batch = images_->evaluation_batch(Part::kTest, samples, first, 2);
      ASSERT_TRUE(batch);
      EXPECT_EQ(batch->classes.size(), 2u);
    }
  }
  EXPECT_GT(images_->most_held(), FolderImages::kAhead);
  EXPECT_LE(images_->most_held(), 2 * FolderImages::kAhead);
}

TEST_F(FolderImagesTest, EvaluationIsInOrderAndNotAugmented) {
  make(job(), 3);
  const std::vector<std::int64_t> samples = {11, 0, 5, 7, 3};
  Bytes pixels;
  std::vector<std::int64_t> classes;
  for (std::size_t first = 0; first < samples.size(); first += 2) {
    const auto batch = images_->evaluation_batch(Part::kTest, samples, first,
                                                 std::min<std::size_t>(2, samples.size() - first));
    ASSERT_TRUE(batch);
    pixels.insert(pixels.end(), batch->pixels.begin(), batch->pixels.end());
    classes.insert(classes.end(), batch->classes.begin(), batch->classes.end());
  }
  EXPECT_THAT(classes, ElementsAre(2, 0, 1, 1, 0));
  const auto at_once = images_->evaluation_batch(Part::kTest, samples, 0, samples.size());
  EXPECT_EQ(at_once->pixels, pixels);
  EXPECT_THAT(images_->remarks(), IsEmpty());
}

TEST_F(FolderImagesTest, TheNextReadableSampleTakesThePlace) {
  make(job(), 2);
  const std::size_t image = 12 * 12 * 3;
  const DecodedBatch whole = images_->training_batch(0).value();
  SampleOrder order(job_.seed, std::ssize(split_.train));
  std::vector<std::int64_t> at(kBatch + 1);
  order.fill(0, at);
  const auto file = [&](std::size_t position) {
    return dataset_.train
        .files[static_cast<std::size_t>(split_.train[static_cast<std::size_t>(at[position])])];
  };
  const std::string last = file(kBatch - 1);
  const std::string next = file(kBatch);
  spoil(last);
  make(job(), 2);
  const DecodedBatch replaced = images_->training_batch(0).value();
  const auto border = static_cast<std::ptrdiff_t>((kBatch - 1) * image);
  EXPECT_TRUE(
      std::equal(whole.pixels.begin(), whole.pixels.begin() + border, replaced.pixels.begin()));
  Bytes expected(image);
  ASSERT_TRUE(training_image(read_bytes(data_ / next), job_.identity.train.input,
                             {job_.seed, 0, kBatch - 1}, expected));
  EXPECT_EQ(Bytes(replaced.pixels.begin() + border, replaced.pixels.end()), expected);
  EXPECT_THAT(logged_, ElementsAre(AllOf(HasSubstr("skips " + (data_ / last).string()),
                                         HasSubstr("Premature end"))));
  EXPECT_EQ(images_->remarks(),
            "skipped 1 of 48 images that cannot be decoded, first " + (data_ / last).string());
}

TEST_F(FolderImagesTest, EachCorruptFileIsCountedOnce) {
  spoil("val/red/00.jpg");
  for (const char* colour : {"blue", "green", "red"}) {
    for (int i = 2; i < 8; ++i) {
      std::ofstream(data_ / "train" / colour / ("0" + std::to_string(i) + ".jpg")) << "a text";
    }
  }
  make(job(), 2);
  for (std::int64_t i = 0; i < 20; ++i) {
    const auto batch = images_->training_batch(i);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->classes.size(), static_cast<std::size_t>(kBatch));
  }
  const std::vector<std::int64_t> samples = {7, 8, 9};  // 8 is val/red/00.jpg
  for (int i = 0; i < 2; ++i) {
    const auto batch = images_->evaluation_batch(Part::kTest, samples, 0, 3);
    ASSERT_TRUE(batch);
    EXPECT_THAT(batch->classes, ElementsAre(1, 2));
    EXPECT_EQ(batch->pixels.size(), 2u * 12 * 12 * 3);
  }
  std::size_t seen = 1;  // of the training part without what is held out
  for (const std::int64_t sample : split_.train) seen += sample % 12 >= 2 && sample % 12 < 8;
  EXPECT_EQ(logged_.size(), seen);
  EXPECT_THAT(images_->remarks(), HasSubstr("skipped " + std::to_string(seen) + " of 48 images"));
}

TEST_F(FolderImagesTest, NothingToTrainOnIsAnError) {
  for (const auto& entry : fs::recursive_directory_iterator(data_ / "train")) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << "a text";
  }
  make(job(), 2);
  EXPECT_THAT(images_->training_batch(0).error().message,
              HasSubstr("no image of the training part can be decoded"));
}

TEST_F(FolderImagesTest, AnErrorIfTheJobSaysSo) {
  spoil("val/red/00.jpg");
  TrainingJob strict = job();
  strict.identity.train.input.corrupt = Corrupt::kStop;
  make(strict, 2);
  ASSERT_TRUE(images_->training_batch(0));
  const std::vector<std::int64_t> samples = {7, 8, 9};
  EXPECT_THAT(images_->evaluation_batch(Part::kTest, samples, 0, 3).error().message,
              AllOf(HasSubstr((data_ / "val/red/00.jpg").string()), HasSubstr("Premature end"),
                    HasSubstr("input.corrupt: stop")));
}

TEST_F(FolderImagesTest, AFileThatIsGoneIsAnErrorAlways) {
  make(job(), 2);
  fs::remove_all(data_ / "train");
  EXPECT_THAT(images_->training_batch(0).error().message, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace lrtune
