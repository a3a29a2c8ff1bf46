#include "coordinator/cli/text_table.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace lrtune {
namespace {

constexpr std::size_t kLeastShrunk = 8;  // columns that a shrunk cell keeps
constexpr std::size_t kGap = 2;          // columns between cells

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

std::vector<std::size_t> TextTable::widths(std::size_t limit) const {
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const Row& row : rows_) width = std::max(width, display_width(row.cells[i]));
    total += width + (i == 0 ? 0 : kGap);
    widths.push_back(width);
  }
  for (std::size_t i = 0; limit != 0 && total > limit && i < columns_.size(); ++i) {
    if (!columns_[i].shrinks || widths[i] <= kLeastShrunk) continue;
    const std::size_t cut = std::min(total - limit, widths[i] - kLeastShrunk);
    widths[i] -= cut;
    total -= cut;
  }
  return widths;
}

std::string TextTable::line(const std::vector<std::string>& cells,
                            const std::vector<std::size_t>& widths) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = shortened(cells[i], widths[i]);
    const std::string space(widths[i] - std::min(widths[i], display_width(cell)), ' ');
    if (i != 0) line.append(kGap, ' ');
    line += columns_[i].align == Align::kRight ? space + cell : cell + space;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string TextTable::text(const Terminal& terminal) const {
  const std::vector<std::size_t> widths =
      this->widths(static_cast<std::size_t>(std::max(terminal.width, 0)));
  std::vector<std::string> titles;
  for (const TableColumn& column : columns_) titles.push_back(column.title);
  std::string text = paint(line(titles, widths), Ink::kBold, terminal.colour) + "\n";
  for (const Row& row : rows_)
    text += paint(line(row.cells, widths), row.ink, terminal.colour) + "\n";
  return text;
}

}  // namespace lrtune
