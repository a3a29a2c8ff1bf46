// A checksum for every row of the store, over all of its values: SQLite's own checks do not look at
// what a number says. Private to coordinator/store.
//
// It is the sum of one 64-bit hash a column, so that a value that changes needs only its own term.
// Each term is a bijection of a number, and of any 8 bytes of a text that stand together, so that
// damage of one number, or within 8 such bytes, is always found; other damage is missed once in
// 2^64.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "common/hash.h"
#include "common/ids.h"

struct sqlite3;
struct sqlite3_stmt;

namespace SQLite {
class Database;
}

namespace lrtune {

class RowChecksum {
 public:
  // The columns of `table` are added in their order, its key included.
  constexpr explicit RowChecksum(std::string_view table) : sum_(hash_of(table, kTable)) {}

  // Leaves the terms of the next columns out, or goes back to them: `column` 0 is the first.
  constexpr void skip(std::uint64_t columns) { column_ += columns; }
  constexpr void go_to(std::uint64_t column) { column_ = column; }

  constexpr void add_null() { add_term(kNull, 0); }
  constexpr void add_integer(std::int64_t value) {
    add_term(kInteger, static_cast<std::uint64_t>(value));
  }
  // SQLite keeps no -0.
  constexpr void add_real(double value) {
    add_term(kReal, std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value));
  }
  constexpr void add_text(std::string_view value) { add_term(kText, hash_of(value, kText)); }
  constexpr void add_blob(std::string_view value) { add_term(kBlob, hash_of(value, kBlob)); }

  constexpr std::int64_t value() const { return static_cast<std::int64_t>(sum_); }

 private:
  enum Kind : std::uint64_t { kNull = 1, kInteger, kReal, kText, kBlob, kTable };
  static constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;

  // A bijection of 64 bits (the finaliser of SplitMix64).
  static constexpr std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }

  static constexpr std::uint64_t word_at(std::string_view bytes, std::size_t at, std::size_t size) {
    if (!std::is_constant_evaluated()) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, size);
      if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
      return word;
    }
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < size; ++i) {
      word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    }
    return word;
  }

  static constexpr std::uint64_t hash_of(std::string_view bytes, std::uint64_t kind) {
    std::uint64_t hash = (bytes.size() << 8U | kind) * kOdd;
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) hash = step(hash, word_at(bytes, at, 8));
    if (at < bytes.size()) hash = step(hash, word_at(bytes, at, bytes.size() - at));
    return hash;
  }
  static constexpr std::uint64_t step(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * kOdd;
    return hash ^ (hash >> 32);
  }

  constexpr void add_term(Kind kind, std::uint64_t value) {
    sum_ += mixed(value ^ mixed(kOdd * (8 * column_ + kind)));
    ++column_;
  }

  std::uint64_t sum_;
  std::uint64_t column_ = 0;
};

// C++ values as sql::bind() keeps them.
inline void add(RowChecksum& row, std::int64_t value) { row.add_integer(value); }
inline void add(RowChecksum& row, int value) { row.add_integer(value); }
inline void add(RowChecksum& row, std::uint32_t value) { row.add_integer(value); }
inline void add(RowChecksum& row, bool value) { row.add_integer(value ? 1 : 0); }
inline void add(RowChecksum& row, std::uint64_t value) {
  row.add_integer(static_cast<std::int64_t>(value));
}
inline void add(RowChecksum& row, double value) { row.add_real(value); }
inline void add(RowChecksum& row, std::string_view value) { row.add_text(value); }
inline void add(RowChecksum& row, const std::string& value) { row.add_text(value); }
inline void add(RowChecksum& row, const Digest& value) {
  row.add_blob({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
}
template <typename Tag>
void add(RowChecksum& row, Id<Tag> id) {
  id ? row.add_integer(id.value) : row.add_null();
}
template <typename Value>
void add(RowChecksum& row, const std::optional<Value>& value) {
  value ? add(row, *value) : row.add_null();
}

// The checksum of the next `count` columns of a row that was read, from `first` on: all of a
// table's columns but the checksum.
void add_columns(RowChecksum& row, sqlite3_stmt* read, int first, int count);

// Gives the connection the function row_checksum('TABLE', all columns but the checksum), for
// migrations and checks. Throws SQLite::Exception.
void add_checksum_function(SQLite::Database& database);

}  // namespace lrtune
