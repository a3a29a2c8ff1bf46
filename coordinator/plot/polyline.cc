#include "coordinator/plot/polyline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace lrtune {

Polyline thinned(const Polyline& line) {
  Polyline kept;
  for (std::size_t begin = 0; begin < line.size();) {
    const double column = std::floor(line[begin].x);
    std::size_t end = begin + 1;
    while (end < line.size() && std::floor(line[end].x) == column) ++end;
    const auto first = line.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto past = line.begin() + static_cast<std::ptrdiff_t>(end);
    const auto [lowest, highest] =
        std::minmax_element(first, past, [](const Point& a, const Point& b) { return a.y < b.y; });
    kept.push_back(*first);
    for (const auto inner : {std::min(lowest, highest), std::max(lowest, highest)}) {
      if (inner != first && inner != past - 1) kept.push_back(*inner);
    }
    if (end - begin > 1) kept.push_back(*(past - 1));
    begin = end;
  }
  return kept;
}

std::string path_of(const Polyline& line) {
  if (line.empty()) return {};
  std::string path;
  auto out = std::back_inserter(path);
  fmt::format_to(out, "M{:.1f} {:.1f}", line[0].x, line[0].y);
  for (std::size_t i = 1; i < line.size(); ++i)
    fmt::format_to(out, "L{:.1f} {:.1f}", line[i].x, line[i].y);
  return path;
}

}  // namespace lrtune
