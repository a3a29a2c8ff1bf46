// Charts: ticks, thinning, text, and documents that every reader of XML takes.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "coordinator/plot/axis.h"
#include "coordinator/plot/chart.h"
#include "coordinator/plot/polyline.h"
#include "coordinator/plot/svg_text.h"

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> labels(const Axis& axis) {
  std::vector<std::string> out;
  for (const Tick& tick : axis.ticks()) {
    if (!tick.label.empty()) out.push_back(tick.label);
  }
  return out;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

// Every tag is closed in the right order, and no bare '&' or '<' stands in the text.
bool well_formed(const std::string& svg) {
  static const std::regex kTag("<(/?)([a-z]+)([^<>]*)>");
  static const std::regex kBareAmpersand("&(?!(amp|lt|gt|quot);)");
  if (std::regex_search(svg, kBareAmpersand)) return false;
  std::vector<std::string> open;
  std::size_t tags = 0;
  for (std::sregex_iterator it(svg.begin(), svg.end(), kTag), end; it != end; ++it, ++tags) {
    const std::string name = (*it)[2];
    const std::string rest = (*it)[3];
    if ((*it)[1].length() != 0) {
      if (open.empty() || open.back() != name) return false;
      open.pop_back();
    } else if (rest.empty() || rest.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty() && tags == count(svg, "<") && tags == count(svg, ">");
}

Chart chart_of(std::vector<Series> series) {
  Chart chart{"title", "x", "y"};
  chart.series = std::move(series);
  return chart;
}

TEST(Axis, TicksAreRoundNumbers) {
  EXPECT_THAT(labels(Axis(0, 9999, false, false, 5)),
              ElementsAre("0", "2,000", "4,000", "6,000", "8,000", "10,000"));
  EXPECT_THAT(labels(Axis(0.91, 0.992, false, true, 5)),
              ElementsAre("0.92", "0.94", "0.96", "0.98"));
  EXPECT_THAT(labels(Axis(0, 6e-5, false, true, 4)), ElementsAre("0", "2e-5", "4e-5", "6e-5"));
  EXPECT_THAT(labels(Axis(-1, 1, false, false, 4)), ElementsAre("-1.0", "-0.5", "0", "0.5", "1.0"));
}

TEST(Axis, LogarithmicTicksAreDecades) {
  EXPECT_THAT(labels(Axis(1e-6, 1, true, false, 5)),
              ElementsAre("1e-6", "1e-5", "1e-4", "0.001", "0.01", "0.1", "1"));
  EXPECT_THAT(labels(Axis(0.01, 0.6, true, false, 5)),
              ElementsAre("0.01", "0.02", "0.05", "0.1", "0.2", "0.5"));
  const Axis many(1e-300, 1, true, false, 5);
  EXPECT_LE(many.ticks().size(), 10U);
}

TEST(Axis, PositionsRunFromZeroToOne) {
  const Axis linear(2, 12, false, false, 5);
  EXPECT_DOUBLE_EQ(linear.position(2), 0);
  EXPECT_DOUBLE_EQ(linear.position(7), 0.5);
  const Axis log(0.01, 100, true, false, 5);
  EXPECT_DOUBLE_EQ(log.position(1), 0.5);
  EXPECT_DOUBLE_EQ(log.position(100), 1);
}

TEST(Axis, OneValueStillHasARange) {
  for (const double value : {0.0, 0.01, 1e-12, -5.0, 1e200}) {
    const Axis axis(value, value, false, true, 5);
    EXPECT_GE(axis.ticks().size(), 2U) << value;
    EXPECT_GE(axis.position(value), 0) << value;
    EXPECT_LE(axis.position(value), 1) << value;
  }
}

TEST(Polyline, ThinningKeepsEndsAndExtremesOfEachColumn) {
  const Polyline line = {{0.1, 5}, {0.2, 9}, {0.3, 1}, {0.4, 6}, {0.5, 4}, {1.5, 3}};
  std::vector<double> heights;
  for (const Point& point : thinned(line)) heights.push_back(point.y);
  EXPECT_THAT(heights, ElementsAre(5, 9, 1, 4, 3));
}

TEST(Polyline, ThinningBoundsThePoints) {
  Polyline line;
  for (int i = 0; i < 100'000; ++i) line.push_back({i * 0.007, std::sin(i * 0.1)});
  EXPECT_LE(thinned(line).size(), 4U * 701U);
}

TEST(SvgText, EscapesWhatXmlCannotHold) {
  EXPECT_EQ(escaped("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
  EXPECT_EQ(escaped("µ–ok"), "µ–ok");
  EXPECT_EQ(escaped(std::string("a\0b\x01\n\xff\xc0\xaf\xed\xa0\x80", 11)), "a?b????????");
}

TEST(SvgText, CutsByCharacters) {
  EXPECT_EQ(character_count("µµµ"), 3U);
  EXPECT_EQ(cut_to("µµµ", 3), "µµµ");
  EXPECT_EQ(cut_to("µµµµ", 3), "µµ…");
}

TEST(Chart, HasTitleAxesLegendAndOneLineASeries) {
  Chart chart = chart_of({{"first", {0, 1, 2}, {1, 2, 3}}, {"second", {0, 1, 2}, {3, 2, 1}}});
  const std::string svg = to_svg(chart);
  EXPECT_TRUE(well_formed(svg)) << svg;
  for (const char* text : {">title<", ">x<", ">y<", ">first<", ">second<"})
    EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_EQ(count(svg, "stroke-width=\"1.8\""), 2U);
  EXPECT_EQ(svg, to_svg(chart));
}

TEST(Chart, TextIsEscaped) {
  Chart chart = chart_of({{"<script>&", {0, 1}, {1, 2}}});
  chart.title = "a \"title\" <b>";
  chart.x_label = chart.y_label = "<&>";
  const std::string svg = to_svg(chart);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
}

TEST(Chart, NotANumberLeavesAGapAndALonePointIsADot) {
  constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
  const std::string svg =
      to_svg(chart_of({{"s", {0, 1, 2, 3, 4, 5, 6, 7}, {1, 2, kGap, 3, kGap, 4, 5, kGap}}}));
  EXPECT_EQ(count(svg, "<circle"), 1U);
  const std::size_t line = svg.find("stroke-width=\"1.8\"");
  const std::size_t start = svg.rfind("d=\"", line);
  EXPECT_EQ(count(svg.substr(start, line - start), "M"), 2U);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(Chart, NothingToShowIsSaid) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Chart logarithmic = chart_of({{"s", {0, 1}, {0, -1}}});
  logarithmic.log_y = true;
  for (const Chart& chart : {chart_of({}), chart_of({{"s", {}, {}}}),
                             chart_of({{"s", {0}, {kInfinity}}}), logarithmic}) {
    const std::string svg = to_svg(chart);
    EXPECT_TRUE(well_formed(svg)) << svg;
    EXPECT_THAT(svg, HasSubstr("no data"));
  }
}

TEST(Chart, ABandCoversItsStretchOfALogarithmicAxis) {
  Chart chart = chart_of({{"s", {0.001, 0.01, 0.1, 1, 0}, {1, 2, 3, 4, 5}}});
  chart.log_x = true;
  chart.band = Band{0.01, 0.1, "a < b"};
  const std::string svg = to_svg(chart);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  const auto number_after = [&](const std::string& text, const char* key) {
    return std::stod(text.substr(text.find(key) + std::string(key).size()));
  };
  const std::string frame = svg.substr(svg.find("stroke=\"#777777\"") - 60);
  const double left = number_after(frame, "d=\"M");
  const double width = number_after(frame, "H") - left;
  const std::string band = svg.substr(svg.rfind("<rect"));
  EXPECT_NEAR(number_after(band, "x=\""), left + width / 3, 0.2);
  EXPECT_NEAR(number_after(band, "width=\""), width / 3, 0.2);
}

TEST(Chart, LongSeriesAreThinnedButKeepTheirPeaks) {
  Series series{"s", {}, {}};
  for (int i = 0; i < 1'000'000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 654'321 ? 10 : 1);
  }
  const std::string svg = to_svg(chart_of({series}));
  EXPECT_LT(svg.size(), 100'000U);
  // The peak is the highest point of the plot: 4 % below its top, from 0 to 10.36.
  const std::string flat = to_svg(chart_of({{"s", {0, 999'999}, {1, 10}}}));
  const auto last_height = [](const std::string& text) {
    const std::size_t end = text.find("\" fill=\"none\" stroke=\"#0072b2\" stroke-width=\"1.8\"");
    return text.substr(text.rfind(' ', end) + 1, end - text.rfind(' ', end) - 1);
  };
  EXPECT_THAT(svg, HasSubstr(" " + last_height(flat) + "L"));
}

// The legend stands above the plot, whatever its length.
TEST(Chart, LegendIsAboveTheData) {
  std::vector<Series> series;
  for (int i = 0; i < 30; ++i) {
    series.push_back(
        {"a policy with a long name and number " + std::to_string(i), {0, 1}, {0.0, 1.0 * i}});
  }
  const std::string svg = to_svg(chart_of(series));
  EXPECT_TRUE(well_formed(svg));
  const std::regex legend("y=\"([0-9.]+)\">a policy");
  const std::regex frame("<path d=\"M[0-9.]+ ([0-9.]+)V[0-9.]+H[0-9.]+\" stroke=\"#777777\"");
  std::smatch top;
  ASSERT_TRUE(std::regex_search(svg, top, frame));
  std::size_t entries = 0;
  for (std::sregex_iterator it(svg.begin(), svg.end(), legend), end; it != end; ++it, ++entries) {
    EXPECT_LT(std::stod((*it)[1]), std::stod(top[1]));
  }
  EXPECT_EQ(entries, 30U);
}

// The circles of the plot, without those of the legend: x, y and what a reader sees at them.
std::vector<std::string> notes(const std::string& svg) {
  static const std::regex kNote("<title>([^<]*)</title></circle>");
  std::vector<std::string> found;
  for (std::sregex_iterator it(svg.begin(), svg.end(), kNote), end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

TEST(Chart, PointsHaveMarksAndNotesAndNoLine) {
  const std::string svg = to_svg(chart_of(
      {{.name = "front", .x = {1, 2}, .y = {3, 4}, .points = {{"12", "a < b"}, {"7", "second"}}}}));
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_THAT(notes(svg), ElementsAre("a &lt; b", "second"));
  EXPECT_THAT(svg, HasSubstr(">12</text>"));
  EXPECT_THAT(svg, HasSubstr(">7</text>"));
  EXPECT_EQ(count(svg, "<circle"), 3U) << "two points and the legend's";
  EXPECT_EQ(count(svg, "stroke-width=\"1.8\""), 0U);
  // No point lies on the frame, which begins at the left.
  const std::regex frame("<path d=\"M([0-9.]+) [0-9.]+V[0-9.]+H([0-9.]+)\" stroke=\"#777777\"");
  std::smatch sides;
  ASSERT_TRUE(std::regex_search(svg, sides, frame));
  const std::regex circle("<circle cx=\"([0-9.]+)\"[^>]*><title>");
  for (std::sregex_iterator it(svg.begin(), svg.end(), circle), end; it != end; ++it) {
    EXPECT_GT(std::stod((*it)[1]), std::stod(sides[1]) + 5);
    EXPECT_LT(std::stod((*it)[1]), std::stod(sides[2]) - 5);
  }
}

// Of a million policies few can be told apart.
TEST(Chart, MutedPointsAreBehindTheOthersAndDrawnOnceWhereTheyAreClose) {
  Series muted{.name = "beaten", .muted = true};
  for (int i = 0; i < 100'000; ++i) {
    muted.x.push_back(i % 10);
    muted.y.push_back(i % 5);
    muted.points.push_back({std::to_string(i), "m" + std::to_string(i)});
  }
  const Series front{.name = "front", .x = {9}, .y = {4}, .points = {{"best", "the best"}}};
  const std::string svg = to_svg(chart_of({front, muted}));
  EXPECT_TRUE(well_formed(svg));
  EXPECT_THAT(notes(svg),
              ElementsAre("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "the best"));
  EXPECT_THAT(svg, HasSubstr(">best</text>"));
  EXPECT_LT(svg.size(), 10'000U);
}

// Marks of points that lie close keep off each other; where there is no room they are left out.
TEST(Chart, MarksDoNotCoverEachOther) {
  Series close{.name = "close"};
  for (int i = 0; i < 20; ++i) {
    close.x.push_back(i % 2 == 0 ? 1 : 1.0001);
    close.y.push_back(1);
    close.points.push_back({"mark" + std::to_string(i), ""});
  }
  for (const double place : {0, 2}) {
    close.x.push_back(place);
    close.y.push_back(place);
    close.points.push_back({"alone", ""});
  }
  const std::string svg = to_svg(chart_of({close}));
  const std::regex mark("<text x=\"([0-9.]+)\" y=\"([0-9.]+)\">(mark[0-9]+|alone)<");
  std::vector<std::pair<double, double>> places;
  for (std::sregex_iterator it(svg.begin(), svg.end(), mark), end; it != end; ++it)
    places.emplace_back(std::stod((*it)[1]), std::stod((*it)[2]));
  EXPECT_EQ(places.size(), 6U) << "one on each side of the many, and the two alone";
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t j = i + 1; j < places.size(); ++j) {
      const bool apart = std::abs(places[i].second - places[j].second) > 10 ||
                         std::abs(places[i].first - places[j].first) > 30;
      EXPECT_TRUE(apart) << i << " and " << j;
    }
  }
  EXPECT_EQ(count(svg, ">alone<"), 2U);
}

}  // namespace
}  // namespace lrtune
