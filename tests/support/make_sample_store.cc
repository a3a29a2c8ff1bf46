// Makes a store of the present schema with sample_records(): how the fixtures of
// tests/fixtures/store were made.
#include <fmt/format.h>

#include <cstdio>

#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: make_sample_store FILE\n");
    return 2;
  }
  const auto store = lrtune::SqliteStore::open(argv[1]);
  const auto done = store ? (*store)->commit(lrtune::sample_records())
                          : lrtune::Result<void>(tl::unexpected(store.error()));
  if (!done) fmt::print(stderr, "{}\n", done.error().message);
  return done ? 0 : 1;
}
