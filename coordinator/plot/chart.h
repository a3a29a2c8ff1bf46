// Charts of lines and points as SVG text. No I/O.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lrtune {

// Of a point that stands for itself.
struct PointText {
  std::string mark;  // beside it, where there is room
  std::string note;  // what a reader sees who points at it
};

struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;  // as many as x; NaN leaves a gap
  // As many as x: the series is points with these texts, not a line.
  std::vector<PointText> points = {};
  bool muted = false;  // points: grey, behind all others, close ones drawn once
};

// A stretch of the x axis, shaded over the whole height.
struct Band {
  double low = 0;
  double high = 0;
  std::string name;  // in the legend
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool log_x = false;  // values of 0 and below are left out, as with log_y
  bool log_y = false;
  std::optional<Band> band = {};  // inside the data's extent
  std::vector<Series> series;
};

// A complete SVG document, readable in light and dark surroundings (its own white ground), with
// axes, ticks, grid and a legend. Text is escaped. Series of more points than pixels are thinned,
// keeping extremes.
std::string to_svg(const Chart& chart);

}  // namespace lrtune
