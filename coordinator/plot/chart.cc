#include "coordinator/plot/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "coordinator/plot/axis.h"
#include "coordinator/plot/polyline.h"
#include "coordinator/plot/svg_text.h"

namespace lrtune {
namespace {

// Pixels.
constexpr double kWidth = 860;
constexpr double kPlotHeight = 330;
constexpr double kMargin = 18;
constexpr double kRightMargin = 26;  // half of the last x label stands there
constexpr double kTitleHeight = 26;
constexpr double kLegendRow = 20;
constexpr double kLegendMark = 26;
constexpr double kLegendGap = 14;
constexpr double kDotRadius = 2.6;  // of a line with one point
constexpr double kPointRadius = 5;
constexpr double kMutedRadius = 3.5;
constexpr double kMutedCell = 3;         // of muted points within so many pixels the first is drawn
constexpr std::size_t kMostMark = 12;    // characters
constexpr std::size_t kMostMarks = 300;  // with more, muted points have none
constexpr double kAxisBelow = 48;        // x labels and x title
constexpr double kTextSize = 12.5;
constexpr double kTitleSize = 15.5;
constexpr double kCharacter =
    0.57;  // mean width of a character, in sizes: an upper estimate for sans-serif

// Okabe and Ito's palette for all kinds of colour vision, without the yellow that white swallows.
constexpr auto kColours = std::to_array<std::string_view>(
    {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"});
// When the colours start again, lines are dashed.
constexpr auto kDashes = std::to_array<std::string_view>({"", "7 3", "2 3", "9 3 2 3"});

double text_width(std::string_view text, double size) {
  return static_cast<double>(character_count(text)) * kCharacter * size;
}

std::size_t characters_in(double width, double size) {
  return static_cast<std::size_t>(std::max(4.0, width / (kCharacter * size)));
}

bool shown(double x, double y, const Chart& chart) {
  // Beyond 1e300 the arithmetic of an axis overflows.
  return std::abs(x) < 1e300 && std::abs(y) < 1e300 && (!chart.log_x || x > 0) &&
         (!chart.log_y || y > 0);
}

std::string_view colour_of(std::size_t series) { return kColours[series % kColours.size()]; }

constexpr std::string_view kMutedColour = "#b5b5b5";
constexpr std::string_view kBandColour = "#e6f2e9";
constexpr std::size_t kNoSeries = SIZE_MAX;  // of the legend: the band

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
  bool meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

class SvgChart {
 public:
  explicit SvgChart(const Chart& chart) : chart_(chart) {}

  std::string draw() {
    measure();
    if (empty_) return draw_empty();
    const Axis y_axis(y_.low, y_.high, chart_.log_y, true, 6);
    const Axis x_axis(x_.low, x_.high, chart_.log_x, has_points_, 8);  // no point on the frame
    lay_out(y_axis);
    begin();
    draw_title();
    draw_legend();
    draw_band(x_axis);
    draw_grid(x_axis, y_axis);
    draw_axis_titles();
    for (const bool muted : {true, false}) {
      for (std::size_t i = 0; i < chart_.series.size(); ++i) {
        const Series& series = chart_.series[i];
        if (series.muted != muted) continue;
        series.points.empty() ? draw_line(i, x_axis, y_axis) : draw_points(i, x_axis, y_axis);
      }
    }
    draw_marks();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  struct LegendEntry {
    std::size_t series;
    std::string text;
    double x;
    double y;
  };

  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  void measure() {
    for (const Series& series : chart_.series) {
      has_points_ = has_points_ || !series.points.empty();
      const std::size_t points = std::min(series.x.size(), series.y.size());
      for (std::size_t i = 0; i < points; ++i) {
        if (!shown(series.x[i], series.y[i], chart_)) continue;
        empty_ = false;
        x_.add(series.x[i]);
        y_.add(series.y[i]);
      }
    }
  }

  void lay_out(const Axis& y_axis) {
    double widest = 0;
    for (const Tick& tick : y_axis.ticks())
      widest = std::max(widest, text_width(tick.label, kTextSize));
    left_ = kMargin + (chart_.y_label.empty() ? 0 : 20) + widest + 8;
    right_ = kWidth - kRightMargin;
    const double y = kMargin + (chart_.title.empty() ? 0 : kTitleHeight);
    top_ = y + kLegendRow * static_cast<double>(lay_out_legend(y)) + 6;
    bottom_ = top_ + kPlotHeight;
    height_ = bottom_ + kAxisBelow + (chart_.x_label.empty() ? 0 : 6);
  }

  // In columns of one width above the plot, so that it never covers a line. Returns its rows.
  std::size_t lay_out_legend(double y) {
    const std::size_t most = characters_in(right_ - left_ - kLegendMark, kTextSize);
    double widest = 0;
    const auto add = [&](std::size_t series, const std::string& name) {
      if (name.empty()) return;
      legend_.push_back({series, cut_to(name, most), 0, 0});
      widest =
          std::max(widest, kLegendMark + text_width(legend_.back().text, kTextSize) + kLegendGap);
    };
    for (std::size_t i = 0; i < chart_.series.size(); ++i) add(i, chart_.series[i].name);
    if (chart_.band) add(kNoSeries, chart_.band->name);
    if (legend_.empty()) return 0;
    const auto columns =
        static_cast<std::size_t>(std::max(1.0, (right_ - left_ + kLegendGap) / widest));
    for (std::size_t i = 0; i < legend_.size(); ++i) {
      legend_[i].x = left_ + widest * static_cast<double>(i % columns);
      legend_[i].y = y + kLegendRow * static_cast<double>(i / columns);
    }
    return (legend_.size() + columns - 1) / columns;
  }

  void begin() {
    put("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1:.0f}\" width=\"{0}\" "
        "height=\"{1:.0f}\" "
        "role=\"img\" font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\" "
        "font-size=\"{2}\" "
        "fill=\"#333333\">\n",
        kWidth, height_, kTextSize);
    put("<title>{}</title>\n", escaped(chart_.title));
    put("<rect width=\"{}\" height=\"{:.0f}\" fill=\"#ffffff\"/>\n", kWidth, height_);
  }

  void draw_title() {
    if (chart_.title.empty()) return;
    put("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{}\" font-weight=\"bold\" "
        "fill=\"#111111\">{}</text>\n",
        left_, kMargin + 10, kTitleSize,
        escaped(cut_to(chart_.title, characters_in(right_ - left_, kTitleSize * 1.05))));
  }

  std::string stroke(std::size_t series) const {
    const std::string_view dash = kDashes[series / kColours.size() % kDashes.size()];
    return fmt::format("stroke=\"{}\"{}", colour_of(series),
                       dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash));
  }

  void draw_legend() {
    for (const LegendEntry& entry : legend_) {
      if (entry.series == kNoSeries) {
        put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"18\" height=\"11\" fill=\"{}\"/>", entry.x,
            entry.y + 0.5, kBandColour);
      } else if (chart_.series[entry.series].points.empty()) {
        put("<path d=\"M{:.1f} {:.1f}h18\" {} stroke-width=\"3\" fill=\"none\"/>", entry.x,
            entry.y + 6, stroke(entry.series));
      } else {
        put_circle({entry.x + 9, entry.y + 6}, entry.series);
        out_ += "/>";
      }
      put("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", entry.x + kLegendMark - 2, entry.y + 10.5,
          escaped(entry.text));
    }
  }

  double x_pixel(const Axis& axis, double value) const {
    return left_ + axis.position(value) * (right_ - left_);
  }
  double y_pixel(const Axis& axis, double value) const {
    return bottom_ - axis.position(value) * (bottom_ - top_);
  }

  void draw_band(const Axis& x_axis) {
    if (!chart_.band) return;
    const double left = x_pixel(x_axis, chart_.band->low);
    put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", left,
        top_, x_pixel(x_axis, chart_.band->high) - left, bottom_ - top_, kBandColour);
  }

  void draw_grid(const Axis& x_axis, const Axis& y_axis) {
    out_ += "<g stroke-width=\"1\">\n";
    for (const Tick& tick : y_axis.ticks()) {
      put("<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"{}\"/>", left_, y_pixel(y_axis, tick.value),
          right_, tick.label.empty() ? "#f1f1f1" : "#dddddd");
    }
    for (const Tick& tick : x_axis.ticks()) {
      put("<path d=\"M{:.1f} {:.1f}V{:.1f}\" stroke=\"#e8e8e8\"/>", x_pixel(x_axis, tick.value),
          top_, bottom_);
    }
    put("\n<path d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\" stroke=\"#777777\" fill=\"none\"/>\n</g>\n",
        left_, top_, bottom_, right_);
    out_ += "<g text-anchor=\"end\">\n";
    for (const Tick& tick : y_axis.ticks()) {
      if (tick.label.empty()) continue;
      put("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", left_ - 7, y_pixel(y_axis, tick.value) + 4.5,
          tick.label);
    }
    out_ += "\n</g>\n<g text-anchor=\"middle\">\n";
    for (const Tick& tick : x_axis.ticks()) {
      if (tick.label.empty()) continue;
      put("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", x_pixel(x_axis, tick.value), bottom_ + 18,
          tick.label);
    }
    out_ += "\n</g>\n";
  }

  void draw_axis_titles() {
    if (!chart_.x_label.empty()) {
      put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
          (left_ + right_) / 2, bottom_ + 40, escaped(chart_.x_label));
    }
    if (!chart_.y_label.empty()) {
      put("<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" "
          "text-anchor=\"middle\">{}</text>\n",
          kMargin + 8, (top_ + bottom_) / 2, escaped(chart_.y_label));
    }
  }

  void draw_line(std::size_t index, const Axis& x_axis, const Axis& y_axis) {
    const Series& series = chart_.series[index];
    std::string path;
    Polyline line;
    std::string dots;  // points between two gaps
    const auto finish_line = [&] {
      if (line.size() == 1) {
        fmt::format_to(std::back_inserter(dots),
                       "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"/>\n", line[0].x,
                       line[0].y, kDotRadius, colour_of(index));
      } else {
        path += path_of(thinned(line));
      }
      line.clear();
    };
    const std::size_t points = std::min(series.x.size(), series.y.size());
    for (std::size_t i = 0; i < points; ++i) {
      if (shown(series.x[i], series.y[i], chart_)) {
        line.push_back({x_pixel(x_axis, series.x[i]), y_pixel(y_axis, series.y[i])});
      } else {
        finish_line();
      }
    }
    finish_line();
    out_ += dots;
    if (path.empty()) return;
    put("<path d=\"{}\" fill=\"none\" {} stroke-width=\"1.8\" stroke-linejoin=\"round\" "
        "stroke-linecap=\"round\"/>\n",
        path, stroke(index));
  }

  // Without its end: "/>", or a note between ">" and "</circle>".
  void put_circle(const Point& at, std::size_t series) {
    const bool muted = chart_.series[series].muted;
    put("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"", at.x, at.y,
        muted ? kMutedRadius : kPointRadius, muted ? kMutedColour : colour_of(series));
  }

  void draw_points(std::size_t index, const Axis& x_axis, const Axis& y_axis) {
    const Series& series = chart_.series[index];
    std::set<std::pair<int, int>> drawn;  // cells of muted points
    for (std::size_t i = 0; i < series.points.size(); ++i) {
      if (!shown(series.x[i], series.y[i], chart_)) continue;
      const Point at{x_pixel(x_axis, series.x[i]), y_pixel(y_axis, series.y[i])};
      const std::pair cell(static_cast<int>(at.x / kMutedCell),
                           static_cast<int>(at.y / kMutedCell));
      if (series.muted && !drawn.insert(cell).second) continue;
      put_circle(at, index);
      put("><title>{}</title></circle>\n", escaped(series.points[i].note));
      taken_.push_back(around(at));
      marks_.push_back({at, cut_to(series.points[i].mark, kMostMark), series.muted});
    }
  }

  static Box around(const Point& at) {
    return {at.x - kPointRadius, at.y - kPointRadius, at.x + kPointRadius, at.y + kPointRadius};
  }

  // Beside its point on the side that has room, first those of points that are not muted; where no
  // side has, a mark is left out.
  void draw_marks() {
    if (marks_.size() > kMostMarks) std::erase_if(marks_, [](const Mark& m) { return m.muted; });
    std::stable_partition(marks_.begin(), marks_.end(), [](const Mark& m) { return !m.muted; });
    for (const Mark& mark : marks_) draw_mark(mark);
  }

  struct Mark {
    Point at;
    std::string text;
    bool muted;
  };

  void draw_mark(const Mark& mark) {
    const double width = text_width(mark.text, kTextSize);
    const double right = mark.at.x + kPointRadius + 2;
    const double left = mark.at.x - kPointRadius - 2 - width;
    const double middle = mark.at.x - width / 2;
    for (const auto& [x, y] :
         {Point{right, mark.at.y + 4.5}, Point{left, mark.at.y + 4.5},
          Point{middle, mark.at.y - kPointRadius - 3}, Point{middle, mark.at.y + 17}}) {
      const Box box{x, y - kTextSize + 2.5, x + width, y + 1};
      const bool inside = box.left >= left_ && box.right <= kWidth && box.top >= top_ &&
                          box.bottom <= bottom_ + 6;  // above the labels
      const bool free = std::none_of(taken_.begin(), taken_.end(),
                                     [&](const Box& other) { return box.meets(other); });
      if (!inside || !free) continue;
      taken_.push_back(box);
      put("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", x, y,
          mark.muted ? " fill=\"#777777\"" : "", escaped(mark.text));
      return;
    }
  }

  std::string draw_empty() {
    left_ = kMargin;
    right_ = kWidth - kRightMargin;
    height_ = 120;
    begin();
    draw_title();
    put("<text x=\"{}\" y=\"75\" text-anchor=\"middle\">no data</text>\n</svg>\n", kWidth / 2);
    return std::move(out_);
  }

  const Chart& chart_;
  std::string out_;
  bool empty_ = true;
  bool has_points_ = false;
  Extent x_;
  Extent y_;
  double left_ = 0;
  double right_ = 0;
  double top_ = 0;
  double bottom_ = 0;
  double height_ = 0;
  std::vector<LegendEntry> legend_;
  std::vector<Mark> marks_;
  std::vector<Box> taken_;  // by points and marks
};

}  // namespace

std::string to_svg(const Chart& chart) { return SvgChart(chart).draw(); }

}  // namespace lrtune
