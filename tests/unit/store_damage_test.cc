// Flipped bits and lost ends of the store's file and of its write-ahead log: noticed, or harmless;
// never read as something that was not written. LRTUNE_DAMAGE_CASES (150) is how many of each kind.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_care.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

int cases() {
  const char* wanted = std::getenv("LRTUNE_DAMAGE_CASES");
  return wanted == nullptr ? 150 : std::atoi(wanted);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every value of every table that the coordinator wrote, in order: `store` counts openings.
std::string all_rows(const std::string& path) {
  SQLite::Database database(path, SQLite::OPEN_READONLY);
  std::string text;
  for (const char* table : {"campaign", "identity", "policy", "job", "trial", "state", "metric",
                            "point", "decision", "ranking", "worker_order"}) {
    SQLite::Statement rows(database, std::string("SELECT * FROM ") + table + " ORDER BY 1, 2, 3");
    while (rows.executeStep()) {
      for (int i = 0; i < rows.getColumnCount(); ++i)
        text += rows.getColumn(i).getString() + '\x1f';
      text += '\n';
    }
    text += table;
  }
  return text;
}

struct Image {
  std::string file, log;
};

// What a reader may find: the state and all rows.
struct Content {
  StoredState state;
  std::string rows;
  bool operator==(const Content&) const = default;
};

Content content_of(const std::string& path) {
  auto store = SqliteStore::open(path);
  if (!store) throw std::runtime_error(store.error().message);
  auto state = (*store)->load();
  if (!state) throw std::runtime_error(state.error().message);
  return {*std::move(state), all_rows(path)};
}

std::string lay_out(const TemporaryFolder& folder, const Image& image) {
  for (const char* end : {"", "-wal", "-shm", ".lock"}) fs::remove(folder.file("a.db") + end);
  std::ofstream(folder.file("a.db"), std::ios::binary) << image.file;
  if (!image.log.empty()) std::ofstream(folder.file("a.db-wal"), std::ios::binary) << image.log;
  return folder.file("a.db");
}

// A store with a log of several commits, as a crash leaves it, its file and log; and what it held
// after each commit, the first being what its file alone holds.
class StoreDamage : public testing::Test {
 protected:
  void SetUp() override {
    RecordSource source(3);
    {
      auto store = SqliteStore::open(path()).value();
      for (int i = 0; i < 30; ++i) ASSERT_TRUE(store->commit(named(source.turn())));
    }
    older_.push_back(content_of(path()));
    auto store = SqliteStore::open(path()).value();
    for (int i = 0; i < 6; ++i) {
      ASSERT_TRUE(store->commit(named(source.turn())));
      older_.push_back({store->load().value(), all_rows(path())});
    }
    open_ = {bytes_of(path()), bytes_of(path() + "-wal")};
    store.reset();
    closed_ = {bytes_of(path()), ""};
    ASSERT_GT(open_.log.size(), 30000U);
    ASSERT_FALSE(fs::exists(path() + "-wal"));
  }

  // The campaigns' hashes are those of their texts, as a coordinator's are.
  static std::vector<Record> named(std::vector<Record> records) {
    for (Record& record : records) {
      if (auto* campaign = std::get_if<CampaignRecord>(&record)) {
        campaign->experiment = {{"campaign", campaign->id.value}};
        campaign->hash = sha256(campaign->experiment.dump());
      }
    }
    return records;
  }

  enum class Found { kNoticed, kSame, kOlder, kWrong };

  // `check` notices first, as a person does who suspects something; then the store is opened.
  Found read(const Image& damaged) {
    const std::string path = lay_out(copies_, damaged);
    const auto checked = check_store(path);
    if (!checked || !checked->faults.empty()) return Found::kNoticed;
    try {
      const Content content = content_of(path);
      if (content == older_.back()) return Found::kSame;
      const bool known = std::find(older_.begin(), older_.end(), content) != older_.end();
      if (content != older_[older_.size() - 2]) ++lost_more_;
      return known ? Found::kOlder : Found::kWrong;
    } catch (const std::exception&) {
      return Found::kNoticed;
    }
  }

  // Carries out all cases of one kind; gives how many were found how.
  template <typename Damage>
  std::array<int, 4> run(const char* name, Damage damage) {
    std::array<int, 4> found{};
    for (int i = 0; i < cases(); ++i) {
      std::mt19937_64 random(static_cast<std::uint64_t>(i) + 1);
      const Found result = read(damage(random));
      ++found[static_cast<std::size_t>(result)];
      EXPECT_NE(result, Found::kWrong) << name << ", seed " << i + 1;
    }
    std::cout << name << ": " << cases() << " cases, " << found[0] << " noticed, " << found[1]
              << " harmless, " << found[2] << " an older store, " << found[3] << " wrong\n";
    return found;
  }

  std::string path() const { return folder_.file("a.db"); }

  TemporaryFolder folder_{memory_folder()};
  TemporaryFolder copies_{memory_folder()};
  std::vector<Content> older_;
  Image open_, closed_;
  int lost_more_ = 0;  // of those found older: how many lack more than the last commit
};

std::string with_flipped_bit(std::string bytes, std::mt19937_64& random) {
  const std::size_t at = random() % bytes.size();
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
  return bytes;
}

std::string cut(const std::string& bytes, std::mt19937_64& random) {
  return bytes.substr(0, random() % bytes.size());
}

TEST_F(StoreDamage, AFlippedBitInTheFileIsNoticedOrHarmless) {
  const auto found = run("a flipped bit in the file", [this](std::mt19937_64& random) {
    return Image{with_flipped_bit(closed_.file, random), ""};
  });
  EXPECT_EQ(found[2], 0);
  EXPECT_GT(found[0], cases() / 8);
}

TEST_F(StoreDamage, AFileThatLostItsEndIsNoticed) {
  const auto found = run("a file cut", [this](std::mt19937_64& random) {
    return Image{cut(closed_.file, random), ""};
  });
  EXPECT_EQ(found[0], cases());
}

// SQLite reads a log to its first bad frame and drops what stands behind it.
TEST_F(StoreDamage, AFlippedBitInTheLogIsNoticedUnlessItIsInTheLastCommit) {
  const auto found = run("a flipped bit in the log", [this](std::mt19937_64& random) {
    return Image{open_.file, with_flipped_bit(open_.log, random)};
  });
  EXPECT_EQ(lost_more_, 0);
  EXPECT_GT(found[0], cases() / 8);
}

// A frame whose salts were hit passed for one of an earlier log, so the end of the last commit but
// one could go without a word.
TEST_F(StoreDamage, AFrameOfTheLogWhoseSaltsWereHitIsNoticed) {
  constexpr std::size_t kHeader = 32, kFrame = 24 + 4096;
  std::vector<std::size_t> ends;  // frames that end a commit
  for (std::size_t at = kHeader; at + kFrame <= open_.log.size(); at += kFrame) {
    if (open_.log.substr(at + 4, 4) != std::string(4, '\0')) ends.push_back(at);
  }
  ASSERT_EQ(ends.size(), older_.size() - 1);
  for (std::size_t byte = 8; byte < 16; ++byte) {
    Image hit = open_;
    hit.log[ends[ends.size() - 2] + byte] ^= 0x10;
    EXPECT_EQ(read(hit), Found::kNoticed) << "byte " << byte << " of the frame";
  }
}

TEST_F(StoreDamage, ALogThatLostItsEndIsAnOlderStore) {
  const auto found = run("a log cut", [this](std::mt19937_64& random) {
    return Image{open_.file, cut(open_.log, random)};
  });
  EXPECT_EQ(found[0] + found[1], 0);
  EXPECT_EQ(found[2], cases());
}

// Of each commit's last byte: the store is that of the commit, to the row.
TEST_F(StoreDamage, ALogCutBetweenTwoCommitsIsTheStoreOfThatMoment) {
  constexpr std::size_t kHeader = 32, kFrame = 24 + 4096;
  std::size_t commits = 0;
  for (std::size_t end = kHeader + kFrame; end <= open_.log.size(); end += kFrame) {
    const std::string size = open_.log.substr(end - kFrame + 4, 4);
    if (size == std::string(4, '\0')) continue;
    const std::string path = lay_out(copies_, {open_.file, open_.log.substr(0, end)});
    ++commits;
    EXPECT_TRUE(content_of(path) == older_[commits]) << "commit " << commits;
  }
  EXPECT_EQ(commits, older_.size() - 1);
}

}  // namespace
}  // namespace lrtune
