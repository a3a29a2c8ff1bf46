// What the coordinator asks of a store. When commit() returns without an error, every record of it
// is on disk and survives a crash of the process and of the machine; when it returns an error, none
// of it is.
#pragma once

#include <span>
#include <string>

#include "common/result.h"
#include "coordinator/core/records.h"

namespace lrtune {

class Store {
 public:
  virtual ~Store() = default;

  // Writes all records in one durable transaction. After an error the caller must not send anything
  // that depends on them, and must throw its memory away and load() again. One thread.
  virtual Result<void> commit(std::span<const Record> records) = 0;

  virtual Result<StoredState> load() = 0;

  // Names the store's history: a copy that is put in its place has another, and numbers of jobs and
  // attempts that the lost one gave out mean something else there. A short text without '-'.
  virtual std::string history() const { return "0"; }

  // Looks whether the store is still where it was, about once a second: what was acknowledged must
  // not wait for the next commit to be missed. Returns what it had to put back in its place, a
  // sentence, "" for nothing. An error is as one of commit().
  virtual Result<std::string> look() { return std::string(); }
};

}  // namespace lrtune
