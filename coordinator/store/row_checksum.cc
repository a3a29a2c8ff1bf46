#include "coordinator/store/row_checksum.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

namespace lrtune {
namespace {

std::string_view view(const void* data, int size) {
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

void add_value(RowChecksum& row, sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
      return row.add_integer(sqlite3_value_int64(value));
    case SQLITE_FLOAT:
      return row.add_real(sqlite3_value_double(value));
    case SQLITE_TEXT: {
      const void* text = sqlite3_value_text(value);
      return row.add_text(view(text, sqlite3_value_bytes(value)));
    }
    case SQLITE_BLOB: {
      const void* blob = sqlite3_value_blob(value);
      return row.add_blob(view(blob, sqlite3_value_bytes(value)));
    }
    default:
      return row.add_null();
  }
}

void checksum_function(sqlite3_context* context, int count, sqlite3_value** values) {
  if (count < 1 || sqlite3_value_type(values[0]) != SQLITE_TEXT) {
    sqlite3_result_error(context, "row_checksum wants a table's name first", -1);
    return;
  }
  const void* name = sqlite3_value_text(values[0]);
  RowChecksum row(view(name, sqlite3_value_bytes(values[0])));
  for (int i = 1; i < count; ++i) add_value(row, values[i]);
  sqlite3_result_int64(context, row.value());
}

}  // namespace

void add_columns(RowChecksum& row, sqlite3_stmt* read, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    switch (sqlite3_column_type(read, i)) {
      case SQLITE_INTEGER:
        row.add_integer(sqlite3_column_int64(read, i));
        break;
      case SQLITE_FLOAT:
        row.add_real(sqlite3_column_double(read, i));
        break;
      case SQLITE_TEXT: {
        const void* text = sqlite3_column_text(read, i);
        row.add_text(view(text, sqlite3_column_bytes(read, i)));
        break;
      }
      case SQLITE_BLOB: {
        const void* blob = sqlite3_column_blob(read, i);
        row.add_blob(view(blob, sqlite3_column_bytes(read, i)));
        break;
      }
      default:
        row.add_null();
    }
  }
}

void add_checksum_function(SQLite::Database& database) {
  const int rc = sqlite3_create_function_v2(database.getHandle(), "row_checksum", -1,
                                            SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                                            checksum_function, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) throw SQLite::Exception(database.getHandle(), rc);
}

}  // namespace lrtune
