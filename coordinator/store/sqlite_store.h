// The store in one SQLite file. SCHEMA.md describes its tables and what it promises.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "coordinator/store/store.h"

namespace lrtune {

// Whether a store can be at `path`: a file in a local folder that is there, or nothing yet. The
// error says what stands there instead. Not for a process that has the store open: closing the file
// would give up the locks on it (fcntl(2)).
Result<void> check_store_file(const std::string& path);

class SqliteStore : public Store {
 public:
  // Opens the store at `path` for writing, and makes it if it is not there. Holds PATH.lock until
  // the object goes. Errors, one sentence each: another process writes it; it is no lrtune store; a
  // newer lrtune made it; it lies on a network file system; a migration failed; no such folder; no
  // permission.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);

  ~SqliteStore() override;

  // One transaction. After an error every further commit is refused until load() has opened the
  // file again.
  Result<void> commit(std::span<const Record> records) override;

  Result<StoredState> load() override;
  std::string history() const override;

  // The schema that the file had when it was opened; 0: it was made.
  int schema_before() const;

  // A log that was removed gets its name back (second_names.h).
  Result<std::string> look() override;

 private:
  struct Connection;
  struct Parts;
  explicit SqliteStore(Parts parts);
  Result<void> reopen();

  std::unique_ptr<Parts> parts_;
};

}  // namespace lrtune
