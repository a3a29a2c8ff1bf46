// Line charts as SVG text. No I/O.
#pragma once

#include <string>
#include <vector>

namespace lrtune {

struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;  // as many as x; NaN leaves a gap
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool log_y = false;  // values of 0 and below are left out
  std::vector<Series> series;
};

// A complete SVG document, readable in light and dark surroundings (its own white ground), with
// axes, ticks, grid and a legend. Text is escaped. Series of more points than pixels are thinned,
// keeping extremes.
std::string to_svg(const Chart& chart);

}  // namespace lrtune
