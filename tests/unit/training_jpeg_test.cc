// One JPEG: decoding, turning, cutting, resampling.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>

#include "tests/support/jpeg_files.h"
#include "worker/training/exif.h"
#include "worker/training/jpeg.h"
#include "worker/training/jpeg_crop.h"
#include "worker/training/resample.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

RgbImage decoded(const Bytes& jpeg, int eighths = 8) {
  return decode_jpeg(jpeg, read_jpeg_header(jpeg).value(), eighths).value();
}

std::string error_of(const Bytes& jpeg) {
  const auto header = read_jpeg_header(jpeg);
  if (!header) return header.error().message;
  const auto image = decode_jpeg(jpeg, *header, 8);
  return image ? "no error" : image.error().message;
}

void expect_colour(const std::uint8_t* pixel, const Bytes& colour, int within = 3) {
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_LE(std::abs(pixel[c] - colour[c]), within)
        << "channel " << c << ": " << int{pixel[c]} << " is not about " << int{colour[c]};
  }
}

TEST(Jpeg, DecodesColoursAndGrey) {
  const RgbImage image = decoded(jpeg_of(solid(9, 13, {200, 30, 90})));
  EXPECT_EQ(image.rows, 9);
  EXPECT_EQ(image.columns, 13);
  ASSERT_EQ(image.pixels.size(), 9u * 13 * 3);
  expect_colour(&image.pixels[0], {200, 30, 90});
  const RgbImage grey = decoded(grey_jpeg_of(solid(9, 13, {90, 90, 90})));
  ASSERT_EQ(grey.pixels.size(), 9u * 13 * 3);
  expect_colour(&grey.pixels[3], {90, 90, 90});
}

// 255 is no ink. Red is what cyan and black leave of the light.
TEST(Jpeg, CmykBecomesRgb) {
  expect_colour(decoded(cmyk_jpeg_of(solid(16, 16, {200, 100, 50, 255}))).pixels.data(),
                {200, 100, 50});
  expect_colour(decoded(cmyk_jpeg_of(solid(16, 16, {200, 100, 50, 128}))).pixels.data(),
                {100, 50, 25});
  expect_colour(decoded(cmyk_jpeg_of(solid(16, 16, {200, 100, 50, 0}))).pixels.data(), {0, 0, 0});
}

TEST(Jpeg, DecodesSmaller) {
  const Bytes jpeg = jpeg_of(quarters(64, 120));
  for (const int eighths : {1, 2, 4, 8}) {
    const RgbImage image = decoded(jpeg, eighths);
    EXPECT_EQ(image.rows, 8 * eighths);
    EXPECT_EQ(image.columns, 15 * eighths);
    expect_colour(&image.pixels[image.pixels.size() - 3], {255, 255, 255});
  }
  EXPECT_EQ(decoded(jpeg_of(solid(9, 17, {1, 2, 3})), 4).columns, 9) << "rounded up";
}

TEST(Jpeg, WhatIsDamagedIsAnError) {
  const Bytes jpeg = jpeg_of(quarters(40, 40));
  EXPECT_THAT(error_of(without_end(jpeg, 40)), HasSubstr("cannot be decoded: Premature end"));
  EXPECT_THAT(error_of(without_end(jpeg, jpeg.size() - 30)), HasSubstr("cannot be decoded"));
  EXPECT_THAT(error_of({}), HasSubstr("cannot be decoded"));
  const std::string_view text = "this is a text that somebody named picture.jpg";
  EXPECT_THAT(error_of(Bytes(text.begin(), text.end())), HasSubstr("Not a JPEG"));
  EXPECT_EQ(error_of(with_bytes_before_end(jpeg, 5)), "no error") << "every pixel is there";
}

TEST(Jpeg, NoDamageBreaksTheProcess) {
  const Bytes jpeg = with_orientation(jpeg_of(quarters(40, 40)), 6);
  int errors = 0;
  for (std::size_t at = 0; at < jpeg.size(); ++at) {
    Bytes bad = jpeg;
    bad[at] = static_cast<std::uint8_t>(~bad[at]);
    errors += error_of(bad) != "no error" ? 1 : 0;
    errors +=
        error_of(Bytes(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(at))) != "no error"
            ? 1
            : 0;
  }
  EXPECT_GT(errors, static_cast<int>(jpeg.size())) << "every shorter file and some others";
}

TEST(Exif, OrientationIsFound) {
  const Bytes jpeg = jpeg_of(quarters(16, 16));
  EXPECT_EQ(exif_orientation(jpeg), 1);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(exif_orientation(with_orientation(jpeg, orientation, false)), orientation);
    EXPECT_EQ(exif_orientation(with_orientation(jpeg, orientation, true)), orientation);
  }
  EXPECT_EQ(exif_orientation(with_orientation(jpeg, 0)), 1);
  EXPECT_EQ(exif_orientation(with_orientation(jpeg, 9)), 1);
}

TEST(Exif, WhatIsCutShortHasNone) {
  const Bytes jpeg = with_orientation(jpeg_of(quarters(16, 16)), 8);
  const std::size_t whole = 2 + 2 + 2 + 6 + 8 + 2 + 24;  // up to the end of the last entry
  for (std::size_t size = 0; size < whole; ++size) {
    EXPECT_EQ(exif_orientation(std::span(jpeg).first(size)), 1) << size;
  }
}

// Images whose quarters lie as the camera saw them, so that they are shown as quarters().
TEST(JpegCrop, TurnsAsExifSays) {
  const Bytes red{255, 0, 0};
  const Bytes green{0, 255, 0};
  const Bytes blue{0, 0, 255};
  const Bytes white{255, 255, 255};
  // What is shown of the stored red, green | blue, white.
  const std::array<std::array<Bytes, 4>, 8> shown = {{{red, green, blue, white},
                                                      {green, red, white, blue},
                                                      {white, blue, green, red},
                                                      {blue, white, red, green},
                                                      {red, blue, green, white},
                                                      {blue, red, white, green},
                                                      {white, green, blue, red},
                                                      {green, white, red, blue}}};
  const InputSpec input{.augment = {}, .size = 16, .resize = 16};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    Bytes out(16 * 16 * 3);
    ASSERT_TRUE(
        evaluation_image(with_orientation(jpeg_of(quarters(32, 32)), orientation), input, out));
    const auto& corners = shown[static_cast<std::size_t>(orientation - 1)];
    expect_colour(&out[0], corners[0], 6);
    expect_colour(&out[15 * 3], corners[1], 6);
    expect_colour(&out[15 * 16 * 3], corners[2], 6);
    expect_colour(&out[(16 * 16 - 1) * 3], corners[3], 6);
  }
}

// A turned image is cut where the upright one is.
TEST(JpegCrop, CutsTheImageAsItIsShown) {
  const InputSpec input{.augment = {.area = 0.2}, .size = 16, .resize = 18};
  const Pixels upright = quarters(48, 80);
  Pixels stored{80, 48, Bytes(upright.bytes.size())};  // orientation 6: shown turned clockwise
  for (int row = 0; row < 48; ++row) {
    for (int column = 0; column < 80; ++column) {
      for (int c = 0; c < 3; ++c) {
        stored.bytes[static_cast<std::size_t>(((79 - column) * 48 + row) * 3 + c)] =
            upright.bytes[static_cast<std::size_t>((row * 80 + column) * 3 + c)];
      }
    }
  }
  // Orientation 8 turns counter-clockwise: shown (x, y) is stored (columns - 1 - y, x).
  Pixels other{80, 48, Bytes(upright.bytes.size())};
  for (int row = 0; row < 48; ++row) {
    for (int column = 0; column < 80; ++column) {
      for (int c = 0; c < 3; ++c) {
        other.bytes[static_cast<std::size_t>((column * 48 + 47 - row) * 3 + c)] =
            upright.bytes[static_cast<std::size_t>((row * 80 + column) * 3 + c)];
      }
    }
  }
  for (std::int64_t position = 0; position < 20; ++position) {
    const CropKey key{3, 1, position};
    Bytes expected(16 * 16 * 3);
    Bytes six(expected.size());
    Bytes eight(expected.size());
    ASSERT_TRUE(training_image(jpeg_of(upright), input, key, expected));
    ASSERT_TRUE(training_image(with_orientation(jpeg_of(other), 8), input, key, eight));
    ASSERT_TRUE(training_image(with_orientation(jpeg_of(stored), 6), input, key, six));
    for (std::size_t i = 0; i < expected.size(); i += 3) {
      expect_colour(&eight[i], {expected[i], expected[i + 1], expected[i + 2]}, 8);
      expect_colour(&six[i], {expected[i], expected[i + 1], expected[i + 2]}, 8);
    }
    if (HasFailure()) FAIL() << "position " << position;
  }
}

// A smaller decoded image gives nearly what the whole one gives.
TEST(JpegCrop, DecodingSmallerChangesLittle) {
  const Bytes jpeg = jpeg_of(quarters(400, 600));
  const InputSpec input{.augment = {}, .size = 24, .resize = 28};
  Bytes out(24 * 24 * 3);
  ASSERT_TRUE(evaluation_image(jpeg, input, out));
  Bytes whole(out.size());
  resample(decoded(jpeg), centre_box(600, 400, 24, 28), 24, whole);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_LE(std::abs(out[i] - whole[i]), 16) << i;
}

TEST(JpegCrop, EveryOtherImageIsMirrored) {
  const Bytes jpeg = jpeg_of(quarters(16, 16));
  const InputSpec input{.augment = {.area = 1, .flip = true}, .size = 16, .resize = 16};
  int mirrored = 0;
  for (std::int64_t position = 0; position < 200; ++position) {
    Bytes out(16 * 16 * 3);
    ASSERT_TRUE(training_image(jpeg, input, {9, 4, position}, out));
    const bool green_left = out[1] > out[0];
    mirrored += green_left ? 1 : 0;
  }
  EXPECT_GT(mirrored, 70);
  EXPECT_LT(mirrored, 130);
}

TEST(RandomBox, HasTheAreaAndTheRatioOfTorchvision) {
  double least = 1;
  double most = 0;
  double sum = 0;
  constexpr int kBoxes = 2000;
  for (std::int64_t i = 0; i < kBoxes; ++i) {
    const Box box = random_box(500, 400, 0.08, {1, i, 0});
    ASSERT_EQ(box, random_box(500, 400, 0.08, {1, i, 0}));
    ASSERT_GE(box.left, 0);
    ASSERT_GE(box.top, 0);
    ASSERT_LE(box.left + box.width, 500);
    ASSERT_LE(box.top + box.height, 400);
    const double share = box.width * box.height / (500 * 400);
    least = std::min(least, share);
    most = std::max(most, share);
    sum += share;
    ASSERT_GT(box.width / box.height, 0.74);
    ASSERT_LT(box.width / box.height, 1.35);
  }
  EXPECT_LT(least, 0.1);
  EXPECT_GT(most, 0.95);
  // The mean of 300,000 boxes by torchvision's own steps: not the middle, 0.54, since large ones
  // that do not fit are drawn again.
  EXPECT_NEAR(sum / kBoxes, 0.4534, 0.02);
  EXPECT_NE(random_box(500, 400, 0.08, {1, 0, 0}), random_box(500, 400, 0.08, {1, 0, 1}));
  EXPECT_NE(random_box(500, 400, 0.08, {1, 0, 0}), random_box(500, 400, 0.08, {2, 0, 0}));
}

TEST(RandomBox, OfALongImageIsItsCentre) {
  EXPECT_EQ(random_box(4000, 30, 0.5, {}), (Box{1980, 0, 40, 30}));
  EXPECT_EQ(random_box(30, 4000, 0.5, {}), (Box{0, 1980, 30, 40}));
  EXPECT_EQ(random_box(1, 1, 1, {}), (Box{0, 0, 1, 1}));
}

TEST(CentreBox, IsTheCentreOfTheShrunkImage) {
  EXPECT_EQ(centre_box(512, 512, 224, 256), (Box{32, 32, 448, 448}));
  EXPECT_EQ(centre_box(256, 512, 256, 256), (Box{0, 128, 256, 256}));
  EXPECT_EQ(centre_box(1024, 512, 224, 256), (Box{288, 32, 448, 448}));
}

TEST(Resample, WeighsByATriangle) {
  RgbImage image{.rows = 1, .columns = 4, .pixels = {}};
  for (const std::uint8_t value : Bytes{0, 70, 140, 210})
    image.pixels.insert(image.pixels.end(), 3, value);
  Bytes out(2 * 2 * 3);
  resample(image, {0, 0, 4, 1}, 2, out);  // the one row becomes two equal ones
  for (std::size_t row = 0; row < 2; ++row) {
    EXPECT_EQ(out[row * 6], 50);       // (3 * 0 + 3 * 70 + 1 * 140) / 7
    EXPECT_EQ(out[row * 6 + 3], 160);  // (1 * 70 + 3 * 140 + 3 * 210) / 7
  }
}

TEST(Resample, LeavesAnImageOfTheRightSizeAlone) {
  const RgbImage image = decoded(jpeg_of(quarters(20, 20), 40));
  Bytes out(image.pixels.size());
  resample(image, {0, 0, 20, 20}, 20, out);
  EXPECT_EQ(out, image.pixels);
  const RgbImage same = decoded(jpeg_of(solid(7, 90, {17, 130, 255})));
  Bytes wide(40 * 40 * 3);
  resample(same, {3.5, 1.25, 60, 4.5}, 40, wide);
  for (std::size_t i = 0; i < wide.size(); i += 3) expect_colour(&wide[i], {17, 130, 255});
}

}  // namespace
}  // namespace lrtune
