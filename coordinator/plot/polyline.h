// The points of a series as they are drawn: scaled to the plot, cut at gaps, thinned.
#pragma once

#include <string>
#include <vector>

namespace lrtune {

struct Point {
  double x = 0;  // pixels
  double y = 0;
};

// One run of points without a gap.
using Polyline = std::vector<Point>;

// Keeps the first, the lowest, the highest and the last point of each run of neighbours in one
// column of pixels: what is drawn looks the same.
Polyline thinned(const Polyline& line);

// The `d` attribute of an SVG path, one decimal.
std::string path_of(const Polyline& line);

}  // namespace lrtune
