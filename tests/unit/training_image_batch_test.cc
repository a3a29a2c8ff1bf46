#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "worker/training/image_batch.h"

namespace lrtune {
namespace {

std::vector<std::uint8_t> random_images(const ImageSize& size, std::int64_t samples) {
  std::mt19937_64 random(3);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(samples * size.bytes()));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(1 + random() % 255);
  return bytes;
}

// What copy_images must do, one value after the other.
std::uint8_t expected_value(const std::vector<std::uint8_t>& images, const ImageSize& size,
                            std::int64_t sample, const Placement& place, std::int64_t row,
                            std::int64_t column, std::int64_t channel) {
  if (place.mirrored) column = size.columns - 1 - column;
  row += place.down;
  column += place.right;
  if (row < 0 || row >= size.rows || column < 0 || column >= size.columns) return 0;
  return images[static_cast<std::size_t>(
      ((sample * size.rows + row) * size.columns + column) * size.channels + channel)];
}

TEST(ImageBatchTest, CopiesEachImageAtItsPlacement) {
  for (const std::int64_t channels : {1, 3}) {
    const ImageSize size{5, 7, channels};
    const auto images = random_images(size, 4);
    for (int down = -6; down <= 6; ++down) {
      for (int right = -8; right <= 8; ++right) {
        const std::vector<std::int64_t> samples{3, 1};
        const std::vector<Placement> places{{right, down, true}, {right, down, false}};
        std::vector<std::uint8_t> out(static_cast<std::size_t>(2 * size.bytes()), 77);
        copy_images(images, size, samples, places, out);
        std::vector<std::uint8_t> expected;
        for (std::size_t i = 0; i < 2; ++i) {
          for (std::int64_t value = 0; value < size.bytes(); ++value) {
            expected.push_back(expected_value(images, size, samples[i], places[i],
                                              value / channels / 7, value / channels % 7,
                                              value % channels));
          }
        }
        ASSERT_EQ(out, expected) << "right " << right << ", down " << down;
      }
    }
  }
}

TEST(ImageBatchTest, PlacementsAreFunctionsOfSeedIterationAndPosition) {
  const Placement one = random_placement(7, 100, 5, 4, true);
  EXPECT_EQ(one, random_placement(7, 100, 5, 4, true));
  int same = 0;
  for (int i = 1; i <= 100; ++i) {
    same += random_placement(7 + static_cast<std::uint64_t>(i), 100, 5, 4, true) == one;
    same += random_placement(7, 100 + i, 5, 4, true) == one;
    same += random_placement(7, 100, 5 + i, 4, true) == one;
  }
  EXPECT_LT(same, 12);  // of 300, where each of 162 is equally likely
}

TEST(ImageBatchTest, EveryPlacementComesAboutEquallyOften) {
  std::map<std::pair<int, int>, int> shifts;
  int mirrored = 0;
  constexpr int kDraws = 81'000;
  for (int i = 0; i < kDraws; ++i) {
    const Placement place = random_placement(1, i / 100, i % 100, 4, true);
    ++shifts[{place.right, place.down}];
    mirrored += place.mirrored;
  }
  EXPECT_EQ(shifts.size(), 81u);
  for (const auto& [shift, count] : shifts) {
    EXPECT_LE(std::abs(shift.first), 4);
    EXPECT_LE(std::abs(shift.second), 4);
    EXPECT_NEAR(count, 1000, 6 * std::sqrt(1000.0));
  }
  EXPECT_NEAR(mirrored, kDraws / 2, 6 * std::sqrt(kDraws / 4.0));
  EXPECT_FALSE(random_placement(1, 0, 0, 4, false).mirrored);
}

TEST(ImageBatchTest, StatisticsAreThoseOfTheChosenSamples) {
  const ImageSize size{2, 1, 2};
  const std::vector<std::uint8_t> images = {0, 10, 255, 20, 99, 99, 99, 99, 4, 30, 1, 40};
  const ImageStatistics statistics =
      image_statistics(images, size, std::vector<std::int64_t>{0, 2});
  EXPECT_EQ(statistics.mean_image, (std::vector<double>{2, 20, 128, 30}));
  EXPECT_DOUBLE_EQ(statistics.mean[0], 65.0 / 255);
  EXPECT_DOUBLE_EQ(statistics.mean[1], 25.0 / 255);
  EXPECT_DOUBLE_EQ(statistics.deviation[0],
                   std::sqrt((65.0 * 65 + 190 * 190 + 61 * 61 + 64 * 64) / 4) / 255);
  EXPECT_DOUBLE_EQ(statistics.deviation[1], std::sqrt((225 + 25 + 25 + 225) / 4.0) / 255);
}

TEST(ImageBatchTest, StatisticsDoNotDependOnTheOrder) {
  const ImageSize size{8, 8, 3};
  const auto images = random_images(size, 50);
  std::vector<std::int64_t> samples(50);
  std::iota(samples.begin(), samples.end(), 0);
  const ImageStatistics forwards = image_statistics(images, size, samples);
  std::reverse(samples.begin(), samples.end());
  const ImageStatistics backwards = image_statistics(images, size, samples);
  EXPECT_EQ(forwards.mean_image, backwards.mean_image);
  EXPECT_EQ(forwards.deviation, backwards.deviation);
}

}  // namespace
}  // namespace lrtune
