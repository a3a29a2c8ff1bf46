// What people do with a store beside using it: look for damage, copy it, bring it to the present
// schema.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"

namespace lrtune {

struct StoreCheck {
  int schema = 0;
  std::vector<std::pair<std::string, std::int64_t>> rows;  // of each table, in the order of names
  // What is wrong, each in one line, at most 100 of a kind; none: nothing was found.
  std::vector<std::string> faults;
};

// Reads the whole store, beside a coordinator or without one: SQLite's own checks of pages and
// indices (PRAGMA integrity_check, https://sqlite.org/pragma.html), the tables' definitions,
// references to rows that are not there, every row against its checksum, and what is named by a
// hash against it: policies, experiments, and training identities of the present schema. SCHEMA.md
// says what is not found. Errors: the file cannot be read, or is no store.
Result<StoreCheck> check_store(const std::string& path);

// Copies the store as it is at one moment to `target`, which must not be there: beside a
// coordinator that writes (VACUUM INTO), checked, synced, and only then under its name. Gives what
// the check found. Errors: as check_store; `target` is there or cannot be written; the copy has a
// fault. No copy is left then.
Result<StoreCheck> back_up_store(const std::string& path, const std::string& target);

struct StoreMigration {
  int from = 0;  // schema
  int to = 0;
  std::string file = {};    // whose older versions stand beside it: where a link leads
  std::string mended = {};  // what was put in its place, a sentence; "": nothing
};

// Brings the store to this program's schema; each older version is kept as PATH.schemaN.backup.
// Errors: there is no store, a coordinator has it open, a step failed.
Result<StoreMigration> migrate_store(const std::string& path);

}  // namespace lrtune
