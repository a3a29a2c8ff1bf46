// The scale of one axis of a chart: its range, its ticks at round numbers and their labels.
#pragma once

#include <string>
#include <vector>

namespace lrtune {

struct Tick {
  double value = 0;
  std::string label;  // empty: a grid line without a number
};

class Axis {
 public:
  // An axis that shows [low, high], both finite, low <= high; on a logarithmic axis both above 0.
  // `pad` makes it a little longer than the data, without crossing 0. About `wanted` ticks.
  Axis(double low, double high, bool log, bool pad, int wanted);

  // 0 at the low end, 1 at the high end.
  double position(double value) const;
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void pad_linear();
  void pad_log();
  void place_linear_ticks(int wanted);
  void place_decades();

  double low_;
  double high_;
  bool log_;
  std::vector<Tick> ticks_;
};

}  // namespace lrtune
