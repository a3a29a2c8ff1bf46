#include "coordinator/store/sql_values.h"

namespace lrtune::sql {
namespace {

[[noreturn]] void refuse_not_finite() {
  throw std::invalid_argument(
      "a number in a JSON text is not finite; what diverged has a state, not a number");
}

void require_finite(const nlohmann::json& json) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) refuse_not_finite();
  if (json.is_structured()) {
    for (const nlohmann::json& part : json) require_finite(part);
  }
}

}  // namespace

Rows::Rows(SQLite::Database& database, const std::string& query) : database_(database.getHandle()) {
  const int rc = sqlite3_prepare_v2(database_, query.data(), static_cast<int>(query.size()),
                                    &statement_, nullptr);
  if (rc != SQLITE_OK) throw SQLite::Exception(database_, rc);
}

Rows::~Rows() { sqlite3_finalize(statement_); }

bool Rows::next() {
  const int rc = sqlite3_step(statement_);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) throw SQLite::Exception(database_, rc);
  return rc == SQLITE_ROW;
}

std::string_view Rows::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {text == nullptr ? "" : text,
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Digest Rows::digest(int column) const {
  Digest digest;
  const void* blob = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (size != static_cast<int>(digest.bytes.size())) {
    throw std::runtime_error(fmt::format("column {} holds {} bytes where a SHA-256 has 32",
                                         sqlite3_column_name(statement_, column), size));
  }
  std::memcpy(digest.bytes.data(), blob, digest.bytes.size());
  return digest;
}

void Rows::verify(std::string_view table, int first, int count) const {
  RowChecksum row(table);
  add_columns(row, statement_, first, count);
  if (row.value() == integer(first + count)) return;
  throw std::runtime_error(
      fmt::format("a row of {} ({} = {}) does not fit its checksum; `lrtune store check` tells all",
                  table, sqlite3_column_name(statement_, first), text(first)));
}

std::string exact_text(const nlohmann::json& json) {
  require_finite(json);
  return json.dump();
}

const std::string& exact_text(const FlatJson& json) {
  if (!json.finite()) refuse_not_finite();
  return json.text();
}

}  // namespace lrtune::sql
