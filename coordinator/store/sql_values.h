// C++ values as SQL parameters and columns, exactly: NaN and integers that SQLite cannot hold are
// errors, a digest is a blob of 32 bytes, an identifier of 0 is NULL. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/hash.h"
#include "common/ids.h"
#include "common/result.h"

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

inline Digest digest_of(const SQLite::Column& column) {
  Digest digest;
  if (column.getBytes() != static_cast<int>(digest.bytes.size())) {
    throw std::runtime_error(fmt::format("column {} holds {} bytes where a SHA-256 has 32",
                                         column.getName(), column.getBytes()));
  }
  std::memcpy(digest.bytes.data(), column.getBlob(), digest.bytes.size());
  return digest;
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

}  // namespace lrtune::sql
