// C++ values as SQL parameters and columns, exactly: NaN and integers that SQLite cannot hold are
// errors, a digest is a blob of 32 bytes, an identifier of 0 is NULL. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/flat_json.h"
#include "common/hash.h"
#include "common/ids.h"
#include "common/result.h"
#include "coordinator/store/row_checksum.h"

namespace lrtune::sql {

inline void bind(SQLite::Statement& statement, int index, std::int64_t value) {
  statement.bind(index, value);
}
inline void bind(SQLite::Statement& statement, int index, int value) {
  statement.bind(index, value);
}
inline void bind(SQLite::Statement& statement, int index, std::uint32_t value) {
  statement.bind(index, static_cast<std::int64_t>(value));
}
inline void bind(SQLite::Statement& statement, int index, bool value) {
  statement.bind(index, value ? 1 : 0);
}
inline void bind(SQLite::Statement& statement, int index, std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw std::invalid_argument(
        fmt::format("{} is above 2^63 - 1, the store's largest integer", value));
  }
  statement.bind(index, static_cast<std::int64_t>(value));
}
inline void bind(SQLite::Statement& statement, int index, double value) {
  // SQLite would turn it into NULL: what diverged has a state, not a number.
  if (std::isnan(value))
    throw std::invalid_argument("a number is NaN; what diverged has a state, not a number");
  statement.bind(index, value);
}
inline void bind(SQLite::Statement& statement, int index, const std::string& value) {
  statement.bindNoCopy(index, value);
}
inline void bind(SQLite::Statement& statement, int index, std::string_view value) {
  statement.bind(index, std::string(value));
}
inline void bind(SQLite::Statement& statement, int index, const Digest& value) {
  statement.bindNoCopy(index, value.bytes.data(), static_cast<int>(value.bytes.size()));
}
template <typename Tag>
void bind(SQLite::Statement& statement, int index, Id<Tag> id) {
  if (id) {
    statement.bind(index, id.value);
  } else {
    statement.bind(index);
  }
}
template <typename Value>
void bind(SQLite::Statement& statement, int index, const std::optional<Value>& value) {
  if (value) {
    bind(statement, index, *value);
  } else {
    statement.bind(index);
  }
}

// A statement in use: its parameters are bound in order, and it is ready for the next use when this
// goes. The values must outlive it.
class Use {
 public:
  template <typename... Values>
  explicit Use(SQLite::Statement& statement, const Values&... values) : statement_(statement) {
    int index = 0;
    (bind(statement_, ++index, values), ...);
  }
  ~Use() { statement_.tryReset(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  // True while there is a row.
  bool next() { return statement_.executeStep(); }
  SQLite::Column column(int index) const { return statement_.getColumn(index); }

 private:
  SQLite::Statement& statement_;
};

template <typename... Values>
void execute(SQLite::Statement& statement, const Values&... values) {
  Use use(statement, values...);
  while (use.next()) {
  }
}

// The same with the row's checksum as the last parameter. The values are all columns of `table`.
template <typename... Values>
void write_row(SQLite::Statement& statement, RowChecksum table, const Values&... values) {
  (add(table, values), ...);
  execute(statement, values..., table.value());
}

// The rows of a query, straight from SQLite: a million of them are read at a restart. Throws
// SQLite::Exception. Views last until the next next().
class Rows {
 public:
  template <typename... Values>
  Rows(SQLite::Database& database, const std::string& query, const Values&... values)
      : Rows(database, query) {
    use(values...);
  }
  Rows(SQLite::Database& database, const std::string& query);
  ~Rows();
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  // Starts the query anew with other parameters. Texts must outlive the use.
  template <typename... Values>
  void use(const Values&... values) {
    sqlite3_reset(statement_);
    int index = 0;
    (bind(++index, values), ...);
  }

  bool next();  // true while there is a row
  bool null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double real(int column) const { return sqlite3_column_double(statement_, column); }
  std::string_view text(int column) const;
  std::string string(int column) const { return std::string(text(column)); }
  Digest digest(int column) const;  // throws if it is not 32 bytes

  // The next `count` columns from `first` on are a whole row of the table, in its order, and its
  // checksum stands behind them. Throws std::runtime_error if they do not fit.
  void verify(std::string_view table, int first, int count) const;

 private:
  void bind(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }
  void bind(int index, int value) { sqlite3_bind_int(statement_, index, value); }
  void bind(int index, std::string_view value) {
    sqlite3_bind_text(statement_, index, value.data(), static_cast<int>(value.size()),
                      SQLITE_STATIC);
  }
  template <typename Tag>
  void bind(int index, Id<Tag> id) {
    bind(index, id.value);
  }
  void bind(int index, const std::optional<std::int64_t>& value) {
    value ? bind(index, *value) : static_cast<void>(sqlite3_bind_null(statement_, index));
  }

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
};

inline std::size_t count_rows(SQLite::Database& database, const std::string& table) {
  return static_cast<std::size_t>(database.execAndGet("SELECT count(*) FROM " + table).getInt64());
}

// The value of a Result that the store itself wrote; an error means that the file was changed by
// other hands.
template <typename Value>
Value stored(Result<Value> value) {
  if (!value) throw std::runtime_error(value.error().message);
  return *std::move(value);
}

// Text of `json`; numbers that JSON cannot write (NaN, infinities) are an error, since they would
// read back as null.
std::string exact_text(const nlohmann::json& json);
const std::string& exact_text(const FlatJson& json);

}  // namespace lrtune::sql
