#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/image_files.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/cifar.h"

namespace lrtune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t kPlane = 32 * 32;
constexpr std::size_t kRecord = 1 + 3 * kPlane;

class CifarTest : public ::testing::Test {
 protected:
  std::string error10() const {
    const auto dataset = load_cifar10(data_);
    return dataset ? "no error" : dataset.error().message;
  }
  std::string error100() const {
    const auto dataset = load_cifar100(data_);
    return dataset ? "no error" : dataset.error().message;
  }

  TemporaryFolder folder_;
  std::filesystem::path data_ = folder_.path();
};

// The colours of a pixel lie together: record 13 of 20 is the third of the fourth file.
TEST_F(CifarTest, RecordsOfAllFilesComeInOrderAndColoursOfAPixelTogether) {
  write_cifar10_files(data_, {.train = 20, .test = 3});
  const auto dataset = load_cifar10(data_);
  ASSERT_TRUE(dataset) << dataset.error().message;
  ASSERT_EQ(dataset->train.samples(), 20);
  EXPECT_EQ(dataset->test.samples(), 3);
  EXPECT_EQ(dataset->classes, 10);
  const Bytes file = read_bytes(data_ / "data_batch_4.bin");
  const std::uint8_t* record = file.data() + 1 * kRecord;
  EXPECT_EQ(dataset->train.labels[13], record[0]);
  const std::uint8_t* image = dataset->train.pixels.data() + 13 * 3 * kPlane;
  for (std::size_t pixel = 0; pixel < kPlane; ++pixel) {
    for (std::size_t colour = 0; colour < 3; ++colour) {
      ASSERT_EQ(image[3 * pixel + colour], record[1 + colour * kPlane + pixel]) << pixel;
    }
  }
}

TEST_F(CifarTest, TheFineLabelOfCifar100Counts) {
  write_cifar100_files(data_);
  Bytes record = cifar_record({19, 99}, 1);
  write_bytes(data_ / "train.bin", record);
  const auto dataset = load_cifar100(data_);
  ASSERT_TRUE(dataset) << dataset.error().message;
  EXPECT_EQ(dataset->classes, 100);
  EXPECT_EQ(dataset->train.labels, (std::vector<std::int64_t>{99}));
  EXPECT_EQ(dataset->train.pixels[0], record[2]);
}

TEST_F(CifarTest, GzippedFilesAreTheSameData) {
  write_cifar10_files(data_);
  write_cifar10_files(data_ / "packed", {.gzip = true});
  const auto plain = load_cifar10(data_);
  const auto packed = load_cifar10(data_ / "packed");
  ASSERT_TRUE(plain && packed);
  EXPECT_EQ(packed->fingerprint, plain->fingerprint);
  EXPECT_EQ(packed->train.pixels, plain->train.pixels);
}

TEST_F(CifarTest, FilesOfDifferentSizesAreRead) {
  write_cifar10_files(data_, {.train = 5, .test = 1});
  Bytes many;
  for (int i = 0; i < 50; ++i) {
    const Bytes record = cifar_record({7}, 1);
    many.insert(many.end(), record.begin(), record.end());
  }
  write_bytes(data_ / "data_batch_3.bin", many);
  const auto dataset = load_cifar10(data_);
  ASSERT_TRUE(dataset);
  EXPECT_EQ(dataset->train.samples(), 54);
  EXPECT_EQ(dataset->train.pixels.size(), 54 * 3 * kPlane);
}

TEST_F(CifarTest, EachMissingFileIsNamed) {
  for (const char* name : {"data_batch_1.bin", "data_batch_3.bin", "test_batch.bin"}) {
    write_cifar10_files(data_);
    std::filesystem::remove(data_ / name);
    EXPECT_EQ(error10(), data_.string() + ": no file " + name + " or " + name + ".gz");
  }
}

TEST_F(CifarTest, AFileThatIsNotWholeRecordsIsRefused) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, kRecord - 1, kRecord + 1}) {
    write_cifar10_files(data_);
    std::filesystem::resize_file(data_ / "data_batch_2.bin", bytes);
    EXPECT_EQ(error10(), (data_ / "data_batch_2.bin").string() +
                             ": truncated or of another form: expected records of 3073 bytes, "
                             "found " +
                             std::to_string(bytes) + " bytes");
  }
}

TEST_F(CifarTest, ATruncatedGzipFileIsRefused) {
  write_cifar10_files(data_, {.gzip = true});
  const auto file = data_ / "test_batch.bin.gz";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  EXPECT_THAT(error10(), AllOf(HasSubstr(file.string()), HasSubstr("truncated")));
}

TEST_F(CifarTest, LabelsOutOfRangeAreRefused) {
  write_cifar10_files(data_);
  Bytes bytes = read_bytes(data_ / "data_batch_5.bin");
  bytes[2 * kRecord] = 10;
  write_bytes(data_ / "data_batch_5.bin", bytes);
  EXPECT_EQ(error10(),
            (data_ / "data_batch_5.bin").string() + ": label 10 of record 2 is not from 0 to 9");
  write_cifar100_files(data_);
  write_bytes(data_ / "test.bin", cifar_record({0, 100}, 1));
  EXPECT_EQ(error100(),
            (data_ / "test.bin").string() + ": label 100 of record 0 is not from 0 to 99");
  write_bytes(data_ / "test.bin", cifar_record({20, 99}, 1));
  EXPECT_EQ(error100(),
            (data_ / "test.bin").string() + ": coarse label 20 of record 0 is not from 0 to 19");
}

// CIFAR-10's files under CIFAR-100's names.
TEST_F(CifarTest, RecordsOfTheOtherSetAreRefused) {
  write_cifar10_files(data_);
  std::filesystem::copy_file(data_ / "data_batch_1.bin", data_ / "train.bin");
  std::filesystem::copy_file(data_ / "test_batch.bin", data_ / "test.bin");
  EXPECT_THAT(error100(),
              AllOf(HasSubstr("train.bin"), HasSubstr("expected records of 3074 bytes")));
}

}  // namespace
}  // namespace lrtune
