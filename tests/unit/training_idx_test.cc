#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/image_files.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/idx.h"

namespace lrtune {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class IdxTest : public ::testing::Test {
 protected:
  Result<IdxArray> read(const Bytes& bytes, int dimensions = 2) {
    write_bytes(file_, bytes);
    return read_idx(file_, dimensions);
  }

  // The message that reading `bytes` gives; it must name the file.
  std::string error_of(const Bytes& bytes, int dimensions = 2) {
    const auto array = read(bytes, dimensions);
    if (array) return "no error";
    EXPECT_THAT(array.error().message, HasSubstr(file_.string()));
    return array.error().message;
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "some idx file";
  const Bytes good_ = idx_bytes({2, 3}, {1, 2, 3, 4, 5, 6});
};

TEST_F(IdxTest, ReadsPlainAndCompressedFilesAlike) {
  for (const Bytes& bytes : {good_, gzip_bytes(good_)}) {
    const auto array = read(bytes);
    ASSERT_TRUE(array) << array.error().message;
    EXPECT_THAT(array->shape, ElementsAre(2, 3));
    EXPECT_THAT(array->values(), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_EQ(array->contents, good_);
  }
}

TEST_F(IdxTest, ReadsContentsLargerThanOneStepOfDecompression) {
  const Bytes large = idx_bytes({3000, 3000}, Bytes(9'000'000, 7));
  const auto array = read(gzip_bytes(large));
  ASSERT_TRUE(array) << array.error().message;
  EXPECT_EQ(array->contents, large);
}

TEST_F(IdxTest, FileCutAtAnyByteIsTruncated) {
  for (std::size_t size = 0; size < good_.size(); ++size) {
    EXPECT_THAT(error_of(Bytes(good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(size))),
                HasSubstr("truncated"))
        << "cut at " << size;
  }
}

TEST_F(IdxTest, CompressedFileCutAtAnyByteIsTruncated) {
  const Bytes packed = gzip_bytes(good_);
  for (std::size_t size = 0; size < packed.size(); ++size) {
    EXPECT_THAT(error_of(Bytes(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(size))),
                HasSubstr("truncated"))
        << "cut at " << size;
  }
}

TEST_F(IdxTest, CorruptCompressedFileIsRefused) {
  Bytes packed = gzip_bytes(good_);
  packed[packed.size() - 6] ^= 0xff;  // the checksum
  EXPECT_THAT(error_of(packed), HasSubstr("corrupt gzip data (incorrect data check)"));
}

TEST_F(IdxTest, BytesAfterTheCompressedDataAreRefused) {
  Bytes packed = gzip_bytes(good_);
  packed.insert(packed.end(), {1, 2, 3});
  EXPECT_THAT(error_of(packed), HasSubstr("3 bytes follow the end of the gzip data"));
}

TEST_F(IdxTest, TrailingBytesAreRefused) {
  Bytes bytes = good_;
  bytes.push_back(9);
  EXPECT_THAT(error_of(bytes), AllOf(HasSubstr("trailing bytes"), HasSubstr("2x3 needs 6 bytes"),
                                     HasSubstr("found 7")));
}

TEST_F(IdxTest, LabelsInThePlaceOfImagesAreAWrongMagicNumber) {
  const Bytes labels = idx_bytes({20}, Bytes(20, 1));
  EXPECT_THAT(error_of(labels, 3), AllOf(HasSubstr("wrong magic number"), HasSubstr("0x00000803"),
                                         HasSubstr("0x00000801")));
}

TEST_F(IdxTest, OtherFilesAreAWrongMagicNumber) {
  EXPECT_THAT(error_of(Bytes(100, 'x')), HasSubstr("wrong magic number"));
}

TEST_F(IdxTest, SizesThatOverflowAreTruncated) {
  EXPECT_THAT(error_of(idx_bytes({0xffffffff, 0xffffffff, 0xffffffff}, {1}), 3),
              HasSubstr("truncated"));
}

TEST_F(IdxTest, AnEmptyArrayIsRefused) {
  EXPECT_THAT(error_of(idx_bytes({0, 3}, {})), HasSubstr("0x3"));
}

TEST_F(IdxTest, AMissingFileIsNamed) {
  const auto array = read_idx(file_, 2);
  ASSERT_FALSE(array);
  EXPECT_THAT(array.error().message, AllOf(HasSubstr(file_.string()), HasSubstr("No such file")));
}

}  // namespace
}  // namespace lrtune
