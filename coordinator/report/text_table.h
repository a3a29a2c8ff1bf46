// Aligned columns of text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/report/terminal.h"

namespace lrtune {

// Columns of a terminal that UTF-8 `text` takes: wide East Asian characters count 2, combining ones
// 0, bytes that are no UTF-8 1.
std::size_t display_width(std::string_view text);

// `text` cut to at most `width` columns, with "…" as the last one if something went.
std::string shortened(std::string_view text, std::size_t width);

enum class Align { kLeft, kRight };

struct TableColumn {
  std::string title;
  Align align = Align::kLeft;
  bool shrinks = false;  // may be cut when the table is wider than the terminal
  int drop = 0;          // above 0: may be left out there; the highest goes first
};

class TextTable {
 public:
  explicit TextTable(std::vector<TableColumn> columns);

  // `cells`: one a column.
  void add_row(std::vector<std::string> cells, Ink ink = Ink::kPlain);

  struct Row {
    std::vector<std::string> cells;
    Ink ink;
  };
  const std::vector<TableColumn>& columns() const { return columns_; }
  const std::vector<Row>& rows() const { return rows_; }

  // Lines that end with a newline, two spaces between columns, none at a line's end. On a terminal
  // that is too narrow, first the columns that shrink are cut to 28, then columns are left out
  // (named in a last line), then those that shrink are cut to 8, and at last every line.
  std::string text(const Terminal& terminal) const;

 private:
  struct Layout {
    std::vector<std::size_t> columns;  // that are shown
    std::vector<std::size_t> widths;   // of all columns
    std::string left_out;              // titles
  };
  Layout layout(std::size_t limit) const;
  void leave_out_one(Layout& layout) const;
  std::size_t shrink(Layout& layout, std::size_t limit, std::size_t least) const;
  std::string line(const std::vector<std::string>& cells, const Layout& layout) const;

  std::vector<TableColumn> columns_;
  std::vector<Row> rows_;
};

}  // namespace lrtune
