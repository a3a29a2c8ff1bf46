#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/image_files.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/svhn.h"

namespace lrtune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t kPlane = 32 * 32;

class SvhnTest : public ::testing::Test {
 protected:
  std::string error() const {
    const auto dataset = load_svhn(data_);
    return dataset ? "no error" : dataset.error().message;
  }
  // With these matrices as the training file.
  std::string error_with(const std::vector<MatMatrix>& matrices, bool compressed = true) const {
    write_svhn_files(data_, {.train = 1, .test = 1});
    write_mat_file(train_, matrices, compressed);
    return error();
  }

  TemporaryFolder folder_;
  std::filesystem::path data_ = folder_.path();
  std::filesystem::path train_ = data_ / kSvhnFiles[0];
};

TEST_F(SvhnTest, PixelsAreReorderedAndTenMeansZero) {
  const auto matrices = svhn_matrices(30, 6);
  const Bytes& x = std::get<Bytes>(matrices[0].values);
  const Bytes& y = std::get<Bytes>(matrices[1].values);
  write_svhn_files(data_, {.test = 4});
  for (const bool compressed : {true, false}) {
    write_mat_file(train_, matrices, compressed);
    const auto dataset = load_svhn(data_);
    ASSERT_TRUE(dataset) << dataset.error().message;
    ASSERT_EQ(dataset->train.samples(), 30);
    EXPECT_EQ(dataset->test.samples(), 4);
    ASSERT_THAT(y, testing::Contains(10)) << "the seed draws no zero";
    for (std::size_t i = 0; i < 30; ++i) {
      ASSERT_EQ(dataset->train.labels[i], y[i] == 10 ? 0 : y[i]);
      for (std::size_t byte = 0; byte < 3 * kPlane; ++byte) {
        const std::size_t colour = byte % 3;
        const std::size_t column = byte / 3 % 32;
        const std::size_t row = byte / 96;
        ASSERT_EQ(dataset->train.pixels[i * 3 * kPlane + byte],
                  x[row + 32 * column + kPlane * colour + i * 3 * kPlane])
            << "sample " << i << ", byte " << byte;
      }
    }
  }
}

// MATLAB stamps a file with the time at which it was written, and labels may have any type.
TEST_F(SvhnTest, TheFingerprintIsOfPixelsAndLabelsAlone) {
  write_svhn_files(data_);
  const auto before = load_svhn(data_);
  ASSERT_TRUE(before);
  auto matrices = svhn_matrices(300, 1);
  const Bytes y = std::get<Bytes>(matrices[1].values);
  matrices[1].values = std::vector<double>(y.begin(), y.end());
  matrices[1].shape = {1, 300};
  std::swap(matrices[0], matrices[1]);
  write_mat_file(train_, matrices, false);
  const auto after = load_svhn(data_);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->fingerprint, before->fingerprint);
  matrices[0].values = std::vector<std::int32_t>(300, 4);
  write_mat_file(train_, matrices);
  const auto other = load_svhn(data_);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_NE(other->fingerprint, before->fingerprint);
}

TEST_F(SvhnTest, EachMissingFileIsNamed) {
  for (const std::string_view name : kSvhnFiles) {
    write_svhn_files(data_, {.train = 1, .test = 1});
    std::filesystem::remove(data_ / name);
    EXPECT_EQ(error(), data_.string() + ": no file " + std::string(name));
  }
}

TEST_F(SvhnTest, AFileCutAnywhereIsRefused) {
  for (const bool compressed : {true, false}) {
    write_svhn_files(data_, {.train = 1, .test = 1});
    write_mat_file(train_, svhn_matrices(1, 1), compressed);
    const auto whole = std::filesystem::file_size(train_);
    for (auto bytes = whole; bytes-- > 0;) {
      std::filesystem::resize_file(train_, bytes);
      const std::string message = error();
      ASSERT_EQ(message.rfind(train_.string() + ": ", 0), 0U) << bytes << ": " << message;
    }
  }
}

TEST_F(SvhnTest, CompressedDataThatWereDamagedAreRefused) {
  write_svhn_files(data_, {.train = 3, .test = 1});
  const Bytes whole = read_bytes(train_);
  for (std::size_t at = 128; at < whole.size(); at += 37) {
    Bytes damaged = whole;
    damaged[at] ^= 0x10;
    write_bytes(train_, damaged);
    const std::string message = error();
    ASSERT_EQ(message.rfind(train_.string() + ": ", 0), 0U) << at << ": " << message;
  }
}

TEST_F(SvhnTest, OtherFilesAreRefused) {
  write_svhn_files(data_, {.train = 1, .test = 1});
  write_bytes(train_, Bytes(5000, 'x'));
  EXPECT_THAT(error(), AllOf(HasSubstr(train_.string()), HasSubstr("not a MATLAB 5 file")));
}

TEST_F(SvhnTest, AFileWithoutXOrYNamesWhatItHas) {
  auto matrices = svhn_matrices(2, 1);
  matrices[0].name = "images";
  EXPECT_EQ(error_with(matrices), train_.string() + ": no variable X; it has images, y");
  EXPECT_EQ(error_with({svhn_matrices(2, 1)[0]}), train_.string() + ": no variable y; it has X");
}

TEST_F(SvhnTest, OtherShapesAndTypesAreRefused) {
  auto matrices = svhn_matrices(2, 1);
  matrices[0].shape = {3, 32, 32, 2};
  EXPECT_EQ(
      error_with(matrices),
      train_.string() + ": wrong shape: X must be uint8 of 32x32x3xN, not uint8 of 3x32x32x2");
  matrices[0] = {"X", {32, 32, 3}, std::vector<double>(3 * kPlane, 1.0)};
  EXPECT_EQ(error_with(matrices),
            train_.string() + ": wrong shape: X must be uint8 of 32x32x3xN, not double of 32x32x3");
  matrices = svhn_matrices(2, 1);
  matrices[1] = svhn_matrices(3, 1)[1];
  EXPECT_EQ(error_with(matrices), train_.string() + ": X has 2 images, but y has 3 labels");
}

TEST_F(SvhnTest, LabelsOutOfRangeAreRefused) {
  auto matrices = svhn_matrices(3, 1);
  for (const double label : {0.0, 11.0, 2.5, -1.0, 1e300}) {
    matrices[1].values = std::vector<double>{1, 10, label};
    EXPECT_THAT(error_with(matrices),
                AllOf(HasSubstr(train_.string()),
                      HasSubstr("of sample 2 is not a whole number from 1 to 10")));
  }
}

}  // namespace
}  // namespace lrtune
