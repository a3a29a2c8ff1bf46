// SCHEMA.md describes the schema that is there, and its examples run.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using Columns = std::set<std::string>;  // "table.column"

std::string page() {
  std::ostringstream text;
  text << std::ifstream(LRTUNE_SOURCE_DIR "/coordinator/store/SCHEMA.md").rdbuf();
  return text.str();
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) {
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    parts.push_back(part);
  }
  return parts;
}

// The lines "| name, name | TYPE | meaning |" under the headings "### table: meaning".
Columns described() {
  Columns columns;
  std::string table;
  for (const std::string& line : split(page(), '\n')) {
    if (line.starts_with("### ")) table = line.substr(4, line.find(':') - 4);
    if (line.starts_with("## ")) table.clear();
    const std::vector<std::string> cells = split(line, '|');
    if (table.empty() || cells.size() < 4 ||
        cells[2].find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ, ") != cells[2].npos) {
      continue;
    }
    for (const std::string& name : split(cells[1], ',')) columns.insert(table + "." + name);
  }
  return columns;
}

std::unique_ptr<SQLite::Database> sample_database(const TemporaryFolder& folder) {
  const auto store = SqliteStore::open(folder.file("a.db"));
  if (!store || !(*store)->commit(sample_records())) throw std::runtime_error("no sample store");
  return std::make_unique<SQLite::Database>(folder.file("a.db"), SQLite::OPEN_READWRITE);
}

TEST(SchemaPage, DescribesEveryColumn) {
  const TemporaryFolder folder(memory_folder());
  const auto database = sample_database(folder);
  SQLite::Statement rows(
      *database,
      "SELECT t.name || '.' || c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c "
      "WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'");
  Columns columns;
  while (rows.executeStep()) columns.insert(rows.getColumn(0).getString());
  EXPECT_GT(columns.size(), 60U);
  EXPECT_EQ(described(), columns);
}

TEST(SchemaPage, ExamplesRun) {
  const TemporaryFolder folder(memory_folder());
  const auto database = sample_database(folder);
  const std::string text = page();
  const std::size_t begin = text.find("```sql\n") + 7;
  std::string sql = text.substr(begin, text.find("```", begin) - begin);
  int examples = 0;
  for (std::size_t end = sql.find(";\n"); end != std::string::npos; end = sql.find(";\n")) {
    SQLite::Statement example(*database, sql.substr(0, end));
    EXPECT_TRUE(example.executeStep()) << sql.substr(0, end);
    ++examples;
    sql.erase(0, end + 2);
  }
  EXPECT_EQ(examples, 5);
}

}  // namespace
}  // namespace lrtune
