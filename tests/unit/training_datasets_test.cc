#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "tests/support/image_files.h"
#include "tests/support/jpeg_files.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/datasets.h"
#include "worker/training/mnist.h"

namespace lrtune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DatasetsTest : public ::testing::Test {
 protected:
  std::string error_of_folder() {
    const auto dataset = load_dataset("mnist", data_);
    return dataset ? "no error" : dataset.error().message;
  }
  std::filesystem::path file(std::size_t number) const { return data_ / kIdxFiles[number]; }

  TemporaryFolder folder_;
  std::filesystem::path data_ = folder_.path() / "data";
};

TEST_F(DatasetsTest, ReadsFourFiles) {
  write_image_files(data_, {.train = 30, .test = 20});
  const auto dataset = load_dataset("mnist", data_);
  ASSERT_TRUE(dataset) << dataset.error().message;
  EXPECT_EQ(dataset->train.samples(), 30);
  EXPECT_EQ(dataset->test.samples(), 20);
  EXPECT_EQ(dataset->train.pixels.size(), 30u * 28 * 28);
  EXPECT_EQ(dataset->classes, 10);
  const Bytes file_bytes = read_bytes(file(0));
  EXPECT_TRUE(std::equal(dataset->train.pixels.begin(), dataset->train.pixels.end(),
                         file_bytes.begin() + 16));
}

TEST_F(DatasetsTest, FingerprintIsThatOfTheUncompressedContents) {
  write_image_files(data_);
  write_image_files(folder_.path() / "packed", {.gzip = true});
  const auto plain = load_dataset("mnist", data_);
  const auto packed = load_dataset("mnist", folder_.path() / "packed");
  ASSERT_TRUE(plain && packed);
  Bytes all;
  for (std::size_t i = 0; i < 4; ++i) {
    const Bytes bytes = read_bytes(file(i));
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  EXPECT_EQ(plain->fingerprint, sha256(all));
  EXPECT_EQ(packed->fingerprint, plain->fingerprint);
}

TEST_F(DatasetsTest, EachMissingFileIsNamed) {
  for (std::size_t i = 0; i < 4; ++i) {
    write_image_files(data_);
    std::filesystem::remove(file(i));
    EXPECT_THAT(error_of_folder(),
                AllOf(HasSubstr(data_.string()), HasSubstr(std::string(kIdxFiles[i]))));
  }
}

TEST_F(DatasetsTest, ALabelAboveNineIsRefused) {
  write_image_files(data_, {.train = 30});
  Bytes labels = read_bytes(file(1));
  labels[8 + 17] = 10;
  write_bytes(file(1), labels);
  EXPECT_EQ(error_of_folder(), file(1).string() + ": label 10 of sample 17 is not from 0 to 9");
}

TEST_F(DatasetsTest, CountsThatDifferAreRefused) {
  write_image_files(data_, {.test = 50});
  write_bytes(file(3), idx_bytes({49}, Bytes(49, 1)));
  EXPECT_THAT(error_of_folder(),
              AllOf(HasSubstr(file(2).string() + " has 50 images"), HasSubstr("49 labels")));
}

TEST_F(DatasetsTest, ImagesOfAnotherSizeAreRefused) {
  write_image_files(data_);
  write_bytes(file(0), idx_bytes({2, 32, 32}, Bytes(2 * 32 * 32, 1)));
  EXPECT_THAT(error_of_folder(), AllOf(HasSubstr(file(0).string()), HasSubstr("wrong shape"),
                                       HasSubstr("expected images of 28x28, found 32x32")));
}

TEST_F(DatasetsTest, ImagesAndLabelsExchangedAreRefused) {
  write_image_files(data_);
  const Bytes images = read_bytes(file(0));
  write_bytes(file(0), read_bytes(file(1)));
  write_bytes(file(1), images);
  EXPECT_THAT(error_of_folder(),
              AllOf(HasSubstr(file(0).string()), HasSubstr("wrong magic number")));
}

// $LRTUNE_DATA set to one data set's folder must not stand for another. The real files are not part
// of the project; where the system has one, it is tried under the other name.
TEST_F(DatasetsTest, ThePublishedFilesOfAnotherSetAreRefused) {
  const std::filesystem::path published = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(published)) {
    EXPECT_FALSE(find_dataset({.name = "fashion-mnist"}, {}));
    return;
  }
  EXPECT_TRUE(load_dataset("fashion-mnist", published));
  const auto wrong = load_dataset("mnist", published);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message,
              HasSubstr("holds the files of fashion-mnist, not those of mnist"));
}

TEST_F(DatasetsTest, PlacesAreSearchedInOrder) {
  const auto root = folder_.path();
  const DataPlaces places{.lrtune_data = root / "env", .xdg_cache_home = root / "cache"};
  const auto found = [&] {
    return find_dataset({.name = "fashion-mnist"}, places).value_or("nowhere");
  };
  write_image_files(root / "cache" / "lrtune" / "fashion-mnist", {.gzip = true});
  EXPECT_EQ(found(), root / "cache" / "lrtune" / "fashion-mnist");
  write_image_files(root / "env");
  EXPECT_EQ(found(), root / "env");
  write_image_files(root / "env" / "fashion-mnist");
  EXPECT_EQ(found(), root / "env" / "fashion-mnist");
}

TEST_F(DatasetsTest, HomeHoldsTheCacheFolderIfNothingElseIsSaid) {
  const auto home = folder_.path();
  write_image_files(home / ".cache" / "lrtune" / "mnist");
  EXPECT_EQ(find_dataset({.name = "mnist"}, {.home = home}).value_or("nowhere"),
            home / ".cache/lrtune/mnist");
}

TEST_F(DatasetsTest, AGivenPathIsTheOnlyPlace) {
  write_image_files(folder_.path() / "env");
  const DataPlaces places{.lrtune_data = folder_.path() / "env"};
  EXPECT_EQ(find_dataset({.name = "mnist", .path = folder_.path()}, places).value_or("nowhere"),
            folder_.path());
  const auto missing = find_dataset({.name = "mnist", .path = data_ / "not there"}, places);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr((data_ / "not there").string()));
}

// As `tar xzf cifar-10-binary.tar.gz` leaves it.
TEST_F(DatasetsTest, TheFolderOfAPublishedArchiveIsLookedInto) {
  const auto root = folder_.path();
  write_cifar10_files(root / "cifar-10-batches-bin");
  write_cifar100_files(root / "given" / "cifar-100-binary", {.gzip = true});
  EXPECT_EQ(find_dataset({.name = "cifar-10"}, {.lrtune_data = root}).value_or("nowhere"),
            root / "cifar-10-batches-bin");
  EXPECT_EQ(find_dataset({.name = "cifar-100", .path = root / "given"}, {}).value_or("nowhere"),
            root / "given" / "cifar-100-binary");
  EXPECT_TRUE(load_dataset("cifar-100", root / "given" / "cifar-100-binary"));
}

TEST_F(DatasetsTest, EveryNameThatAnExperimentMayHaveCanBeRead) {
  const auto root = folder_.path();
  write_image_files(root);
  write_cifar10_files(root);
  write_cifar100_files(root);
  write_svhn_files(root);
  write_jpeg_folder(root, {.train = 100, .val = 30});
  setenv("XDG_CACHE_HOME", root.c_str(), 1);
  for (const std::string& name : known_datasets()) {
    const auto folder = find_dataset({.name = name}, {.lrtune_data = root});
    ASSERT_TRUE(folder) << folder.error().message;
    const auto dataset = load_dataset(name, *folder);
    ASSERT_TRUE(dataset) << dataset.error().message;
    EXPECT_EQ(dataset->name, name);
    EXPECT_EQ(dataset->train.samples(), 300);
    EXPECT_EQ(dataset->test.samples(), name == "imagefolder" ? 90 : 100);
    const auto image_bytes = dataset->rows * dataset->columns * dataset->channels;
    EXPECT_EQ(std::ssize(dataset->train.pixels), 300 * image_bytes);
    EXPECT_EQ(std::ssize(dataset->test.pixels), 100 * image_bytes);
  }
}

// Stores and campaigns name data by this: it may never change for the same files.
TEST_F(DatasetsTest, FingerprintsStayAsTheyAre) {
  write_image_files(data_, {.train = 20, .test = 10});
  write_cifar10_files(data_, {.train = 20, .test = 10});
  write_cifar100_files(data_, {.train = 20, .test = 10});
  write_svhn_files(data_, {.train = 20, .test = 10});
  const std::pair<const char*, const char*> known[] = {
      {"mnist", "15e1af4f77fcb62c64b52fc25ce6e9212ed23ffae7d77e54b5814f4597d54452"},
      {"cifar-10", "24629ecee4f1946e56f0f56bdd56301e0322b2642028494b4a1baecd6ca73db3"},
      {"cifar-100", "35045753bb6d32cc645c5dea8df0a09042f0cc28cbc6e8e290707140581a932b"},
      {"svhn", "d9755b98919b9a58f0624885bfe10de41b4c31e82d91e0e0ceadd690c09cd84b"}};
  for (const auto& [name, fingerprint] : known) {
    const auto dataset = load_dataset(name, data_);
    ASSERT_TRUE(dataset) << dataset.error().message;
    EXPECT_EQ(dataset->fingerprint.hex(), fingerprint) << name;
  }
}

TEST_F(DatasetsTest, AnUnfoundSetNamesAllPlaces) {
  const auto missing =
      find_dataset({.name = "mnist"}, {.lrtune_data = data_, .home = folder_.path()});
  if (missing) {  // this machine has one for everybody
    EXPECT_EQ(*missing, "/usr/share/datasets/mnist");
    return;
  }
  EXPECT_THAT(
      missing.error().message,
      AllOf(HasSubstr((data_ / "mnist").string()), HasSubstr((folder_.path() / ".cache").string()),
            HasSubstr("/usr/share/datasets/mnist"), HasSubstr("LRTUNE_DATA")));
}

TEST_F(DatasetsTest, AnUnknownNameSuggestsTheNearest) {
  const auto unknown = find_dataset({.name = "fashion_mnist"}, {});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'fashion-mnist'?"));
}

TEST_F(DatasetsTest, TheCacheReadsOnceForAllThreads) {
  write_image_files(data_);
  DatasetCache cache(DataPlaces{});
  const DatasetSpec spec{.name = "mnist", .path = data_};
  std::shared_ptr<const Dataset> first;
  std::thread other([&] { first = cache.get(spec).value_or(nullptr); });
  const auto second = cache.get(spec).value_or(nullptr);
  other.join();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(first, second);
}

TEST_F(DatasetsTest, TheCacheTriesAgainAfterAnError) {
  write_image_files(data_);
  const Bytes labels = read_bytes(file(1));
  write_bytes(file(1), {});
  DatasetCache cache(DataPlaces{});
  const DatasetSpec spec{.name = "mnist", .path = data_};
  EXPECT_FALSE(cache.get(spec));
  write_bytes(file(1), labels);
  EXPECT_TRUE(cache.get(spec));
}

TEST_F(DatasetsTest, FactsCountTheParts) {
  write_image_files(data_, {.train = 30, .test = 20});
  const auto dataset = load_dataset("mnist", data_);
  ASSERT_TRUE(dataset);
  const auto facts = data_facts(*dataset, 0.1);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->train_samples, 27);
  EXPECT_EQ(facts->validation_samples, 3);
  EXPECT_EQ(facts->test_samples, 20);
}

}  // namespace
}  // namespace lrtune
