#include "coordinator/report/text_table.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace lrtune {
namespace {

constexpr std::size_t kLeastShrunk = 8;   // columns that a shrunk cell keeps
constexpr std::size_t kComfortable = 28;  // and before a column is left out
constexpr std::size_t kGap = 2;           // columns between cells

// The C library's width tables want a UTF-8 locale, which the program does not set for everything
// else.
class Utf8Locale {
 public:
  Utf8Locale() {
    static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (utf8 != nullptr) before_ = uselocale(utf8);
  }
  ~Utf8Locale() {
    if (before_ != nullptr) uselocale(before_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t before_ = nullptr;
};

struct Glyph {
  std::size_t bytes;
  std::size_t width;
};

// The first character of a text that is not empty.
Glyph first_glyph(std::string_view text) {
  mbstate_t state{};
  wchar_t character = 0;
  const std::size_t bytes = mbrtowc(&character, text.data(), text.size(), &state);
  if (bytes == 0 || bytes > text.size()) return {1, 1};  // a zero byte, or no UTF-8
  const int width = wcwidth(character);
  return {bytes, width < 0 ? 0U : static_cast<std::size_t>(width)};
}

}  // namespace

std::size_t display_width(std::string_view text) {
  const Utf8Locale locale;
  std::size_t width = 0;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    width += glyph.width;
    text.remove_prefix(glyph.bytes);
  }
  return width;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  const Utf8Locale locale;
  std::size_t kept_bytes = 0;
  std::size_t kept_width = 0;
  while (kept_bytes < text.size()) {
    const Glyph glyph = first_glyph(text.substr(kept_bytes));
    if (kept_width + glyph.width > width - 1) break;
    kept_bytes += glyph.bytes;
    kept_width += glyph.width;
  }
  return std::string(text.substr(0, kept_bytes)) + "…";
}

TextTable::TextTable(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

void TextTable::add_row(std::vector<std::string> cells, Ink ink) {
  assert(cells.size() == columns_.size());
  rows_.push_back({std::move(cells), ink});
}

// Cuts columns until all fit `limit`; the width that is left then.
std::size_t TextTable::shrink(Layout& layout, std::size_t limit, std::size_t least) const {
  std::size_t total = 0;
  for (const std::size_t i : layout.columns) total += layout.widths[i] + (total == 0 ? 0 : kGap);
  for (const std::size_t i : layout.columns) {
    if (total <= limit) break;
    if (!columns_[i].shrinks || layout.widths[i] <= least) continue;
    const std::size_t cut = std::min(total - limit, layout.widths[i] - least);
    layout.widths[i] -= cut;
    total -= cut;
  }
  return total;
}

void TextTable::leave_out_one(Layout& layout) const {
  const auto next = std::max_element(
      layout.columns.begin(), layout.columns.end(),
      [this](std::size_t a, std::size_t b) { return columns_[a].drop < columns_[b].drop; });
  layout.left_out = columns_[*next].title + (layout.left_out.empty() ? "" : ", ") + layout.left_out;
  layout.columns.erase(next);
}

TextTable::Layout TextTable::layout(std::size_t limit) const {
  Layout natural;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const Row& row : rows_) width = std::max(width, display_width(row.cells[i]));
    // A column without a title that says nothing takes no room.
    if (width > 0) natural.columns.push_back(i);
    natural.widths.push_back(width);
  }
  if (limit == 0) return natural;
  Layout layout = natural;
  while (shrink(layout, limit, kComfortable) > limit) {
    const bool may_go = std::any_of(layout.columns.begin(), layout.columns.end(),
                                    [this](std::size_t i) { return columns_[i].drop > 0; });
    if (!may_go) break;
    leave_out_one(layout);
    layout.widths = natural.widths;  // what went makes room for the rest
  }
  shrink(layout, limit, kLeastShrunk);
  return layout;
}

std::string TextTable::line(const std::vector<std::string>& cells, const Layout& layout) const {
  std::string line;
  for (const std::size_t i : layout.columns) {
    const std::string cell = shortened(cells[i], layout.widths[i]);
    const std::string space(layout.widths[i] - std::min(layout.widths[i], display_width(cell)),
                            ' ');
    if (i != layout.columns.front()) line.append(kGap, ' ');
    line += columns_[i].align == Align::kRight ? space + cell : cell + space;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string TextTable::text(const Terminal& terminal) const {
  const auto limit = static_cast<std::size_t>(std::max(terminal.width, 0));
  const Layout layout = this->layout(limit);
  const auto painted = [&](const std::string& line, Ink ink) {
    return paint(limit == 0 ? line : shortened(line, limit), ink, terminal.colour) + "\n";
  };
  std::vector<std::string> titles;
  for (const TableColumn& column : columns_) titles.push_back(column.title);
  std::string text = painted(line(titles, layout), Ink::kBold);
  for (const Row& row : rows_) text += painted(line(row.cells, layout), row.ink);
  if (!layout.left_out.empty()) {
    text += painted("left out for want of room: " + layout.left_out, Ink::kDim);
  }
  return text;
}

}  // namespace lrtune
