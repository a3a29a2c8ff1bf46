// A store that a coordinator writes while another program has it open and somebody removes, copies
// or replaces files: whatever the order, everything acknowledged is found by the next coordinator.
// The programs are child processes, since SQLite's locks are a process's.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_care.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Carries out one order at a time, and answers each with a number.
class Child {
 public:
  using Carry = std::function<std::int64_t(char order)>;

  explicit Child(const std::function<Carry()>& make) {
    int orders[2], answers[2];
    if (pipe2(orders, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) std::abort();
    process_ = fork();
    if (process_ == 0) serve(make(), orders, answers);
    close(orders[0]);
    close(answers[1]);
    orders_ = orders[1];
    answers_ = answers[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill();
    close(orders_);
    close(answers_);
  }

  std::int64_t order(char order) {
    std::int64_t answer = -2;
    if (write(orders_, &order, 1) != 1) return answer;
    if (read(answers_, &answer, sizeof answer) != sizeof answer) return -3;
    return answer;
  }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }

 private:
  [[noreturn]] static void serve(const Carry& carry, const int* orders, const int* answers) {
    close(orders[1]);
    close(answers[0]);
    char order = 0;
    while (read(orders[0], &order, 1) == 1) {
      const std::int64_t answer = carry(order);
      if (write(answers[1], &answer, sizeof answer) != sizeof answer) break;
    }
    _exit(0);
  }

  pid_t process_ = 0;
  int orders_ = -1, answers_ = -1;
};

JobRecord numbered_job(std::int64_t number) {
  JobRecord job;
  job.id.value = number;
  job.key = sha256("job " + std::to_string(number));
  job.attempt = number;
  return job;
}

// o: open, c: commit a job, m: commit a thousand, l: look, q: close. Answers the last job that it
// has acknowledged, or found; -1 if the order failed and loading the store again did not mend it.
class Coordinator {
 public:
  explicit Coordinator(std::string path) : path_(std::move(path)) {}

  std::int64_t carry(char order) {
    switch (order) {
      case 'o': {
        auto opened = SqliteStore::open(path_);
        if (!opened) return -1;
        store_ = *std::move(opened);
        return load();
      }
      case 'c':
        return commit();
      case 'm':
        for (int i = 0; i < 1000; ++i) {
          if (commit() < 0) return -1;
        }
        return last_;
      case 'l':
        return store_->look() ? last_ : load();
      default:
        store_.reset();
        return last_;
    }
  }

 private:
  std::int64_t load() {
    const auto state = store_->load();
    if (!state) return -1;
    last_ = state->jobs.empty() ? 0 : state->jobs.back().id.value;
    return static_cast<std::size_t>(last_) == state->jobs.size() ? last_ : -1;
  }
  std::int64_t commit() {
    const std::vector<Record> records = {numbered_job(last_ + 1)};
    if ((*store_).commit(records)) return ++last_;
    const std::int64_t before = last_;
    return load() == before && store_->commit(records) ? ++last_ : -1;
  }

  std::string path_;
  std::unique_ptr<SqliteStore> store_;
  std::int64_t last_ = 0;
};

// A program that may write: o: open and read, q: close.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}
  std::int64_t carry(char order) {
    if (order == 'q') {
      database_.reset();
      return 0;
    }
    database_ = std::make_unique<SQLite::Database>(path_, SQLite::OPEN_READWRITE);
    return database_->execAndGet("SELECT count(*) FROM job").getInt64();
  }

 private:
  std::string path_;
  std::unique_ptr<SQLite::Database> database_;
};

template <typename Program>
std::unique_ptr<Child> start(const std::string& path) {
  return std::make_unique<Child>([path]() -> Child::Carry {
    return
        [program = std::make_shared<Program>(path)](char order) { return program->carry(order); };
  });
}

class StoreInCompany : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(coordinator_->order('o'), 0);
    commit(50);
  }
  void commit(int times) {
    for (int i = 0; i < times; ++i) ASSERT_EQ(coordinator_->order('c'), ++last_);
  }
  void commit_many() { ASSERT_EQ(coordinator_->order('m'), last_ += 1000); }
  void remove(const std::vector<const char*>& ends) {
    for (const char* end : ends) ASSERT_TRUE(fs::remove(path_ + end)) << end;
  }
  // Another coordinator finds all that was acknowledged, and the store is in order.
  void expect_all_there() {
    auto next = start<Coordinator>(path_);
    EXPECT_EQ(next->order('o'), last_);
    EXPECT_EQ(next->order('c'), last_ + 1);
    ++last_;
    EXPECT_EQ(next->order('q'), last_);
    EXPECT_EQ(check_store(path_).value().faults, std::vector<std::string>{});
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("a.db");
  std::unique_ptr<Child> coordinator_ = start<Coordinator>(path_);
  std::unique_ptr<Child> reader_ = start<Reader>(path_);
  std::int64_t last_ = 0;
};

// Regression: the reader made an index of its own, by which the next start read the log.
TEST_F(StoreInCompany, AnIndexThatIsLostIsMadeAnew) {
  remove({"-shm", ".shm"});
  ASSERT_GE(reader_->order('o'), 0);
  commit(20);
  EXPECT_EQ(coordinator_->order('q'), last_);
  expect_all_there();
  reader_->order('q');
  expect_all_there();
}

TEST_F(StoreInCompany, AnIndexThatIsLostIsMadeAnewAndOutlivesAKill) {
  remove({"-shm", ".shm"});
  ASSERT_GE(reader_->order('o'), 0);
  commit_many();
  coordinator_->kill();
  expect_all_there();
  reader_->order('q');
  expect_all_there();
}

// Regression: the log started anew, and the reader wrote its pages where its own index had them.
TEST_F(StoreInCompany, AReaderWithAnIndexOfItsOwnWritesNothingWrong) {
  remove({"-shm"});
  ASSERT_GE(reader_->order('o'), 0);
  ASSERT_EQ(coordinator_->order('l'), last_);
  commit_many();
  coordinator_->kill();
  reader_->order('q');
  expect_all_there();
}

// Regression: what the reader had found, an empty log, was what the next coordinator found.
TEST_F(StoreInCompany, AReaderWhoFoundNoLogHidesNothing) {
  coordinator_->kill();
  remove({"-wal"});
  ASSERT_GE(reader_->order('o'), 0);
  auto next = start<Coordinator>(path_);
  EXPECT_EQ(next->order('o'), last_);
  EXPECT_EQ(next->order('c'), ++last_);
  next->kill();
  reader_->order('q');
  EXPECT_FALSE(fs::exists(path_ + "-wal")) << "the reader was the last";
  expect_all_there();
}

// Regression: the last commit was in the log and not in its index, which the reader went by.
TEST_F(StoreInCompany, AReaderWhoSavesAllButTheLastCommitHindersNoStart) {
  ASSERT_EQ(reader_->order('o'), last_);
  coordinator_->kill();
  reader_->order('q');
  ASSERT_FALSE(fs::exists(path_ + "-wal")) << "the reader was the last";
  expect_all_there();
}

// Regression: the kill came between a commit's frames and their place in the index, which was then
// made anew beside the one that the reader has.
TEST_F(StoreInCompany, AnIndexThatIsOneCommitBehindIsKept) {
  ASSERT_EQ(reader_->order('o'), last_);
  std::array<char, 136> index{};
  ASSERT_TRUE(std::ifstream(path_ + "-shm", std::ios::binary).read(index.data(), index.size()));
  ASSERT_EQ(coordinator_->order('c'), last_ + 1);
  coordinator_->kill();
  std::fstream(path_ + "-shm", std::ios::binary | std::ios::in | std::ios::out)
      .write(index.data(), index.size());
  fs::create_hard_link(path_ + "-shm", folder_.file("readers-index"));
  auto next = start<Coordinator>(path_);
  EXPECT_EQ(next->order('o'), last_);
  EXPECT_TRUE(fs::equivalent(path_ + "-shm", folder_.file("readers-index")));
  EXPECT_EQ(next->order('q'), last_);
  reader_->order('q');
  expect_all_there();
}

// Regression: the reader wrote pages of the old log into the store, by the index of the new one.
TEST_F(StoreInCompany, AReaderWithALogThatWasGivenUpWritesNothingWrong) {
  ASSERT_EQ(reader_->order('o'), last_);
  remove({"-wal", ".wal"});
  commit_many();
  coordinator_->kill();
  reader_->order('q');
  expect_all_there();
}

// Regression: the log of the dead was written into the backup.
TEST_F(StoreInCompany, ABackupInItsPlaceTakesNoLogOfAnotherFile) {
  ASSERT_TRUE(back_up_store(path_, folder_.file("backup.db")));
  commit(10);
  coordinator_->kill();
  remove({"", "-wal", "-shm"});
  fs::copy_file(folder_.file("backup.db"), path_);
  last_ -= 10;
  EXPECT_THAT(SqliteStore::open(path_).error().message, HasSubstr("does not fit it"));
  remove({".wal"});
  expect_all_there();
}

TEST_F(StoreInCompany, ABackupUnderALogOfAnotherFileIsRefused) {
  ASSERT_TRUE(back_up_store(path_, folder_.file("backup.db")));
  commit(10);
  coordinator_->kill();
  fs::copy_file(folder_.file("backup.db"), path_, fs::copy_options::overwrite_existing);
  EXPECT_THAT(SqliteStore::open(path_).error().message, HasSubstr("-wal is not of the store"));
  remove({"-wal", ".wal"});
  last_ -= 10;
  expect_all_there();
}

TEST_F(StoreInCompany, OfTwoLogsItTakesItsOwn) {
  fs::copy_file(path_ + "-wal", folder_.file("older"));
  commit(10);
  fs::rename(folder_.file("older"), path_ + "-wal");
  coordinator_->kill();
  expect_all_there();
  EXPECT_TRUE(fs::exists(path_ + "-wal.aside"));
}

}  // namespace
}  // namespace lrtune
