#include "coordinator/report/report_page.h"

#include <fmt/format.h>

#include "common/config/experiment.h"
#include "coordinator/plot/svg_text.h"
#include "coordinator/report/result_charts.h"

namespace lrtune {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); white-space: nowrap; }
.wide { white-space: normal; min-width: 18rem; }
.right { text-align: right; }
tr.good td { font-weight: 600; }
tr.bad td { opacity: .6; }
figure { margin: 1rem 0; }
figure svg { max-width: 100%; height: auto; }
pre { overflow-x: auto; padding: .7rem; background: color-mix(in srgb, currentColor 7%, transparent); }
)css";

std::string_view row_class(Ink ink) {
  if (ink == Ink::kGood) return " class=\"good\"";
  if (ink == Ink::kBad) return " class=\"bad\"";
  return {};
}

std::string cell(std::string_view tag, const TableColumn& column, std::string_view text) {
  std::string_view kind = column.align == Align::kRight ? " class=\"right\""
                          : column.shrinks              ? " class=\"wide\""
                                                        : "";
  return fmt::format("<{}{}>{}</{}>", tag, kind, escaped(text), tag);
}

std::string table_html(const ResultTable& one) {
  const auto& columns = one.table.columns();
  std::string html =
      fmt::format("<h2>{}</h2>\n<div class=\"scroll\"><table>\n<thead><tr>", escaped(one.title));
  for (const TableColumn& column : columns) html += cell("th", column, column.title);
  html += "</tr></thead>\n<tbody>\n";
  for (const TextTable::Row& row : one.table.rows()) {
    html += fmt::format("<tr{}>", row_class(row.ink));
    for (std::size_t i = 0; i < columns.size(); ++i) html += cell("td", columns[i], row.cells[i]);
    html += "</tr>\n";
  }
  html += "</tbody></table></div>\n";
  if (one.left_out > 0) html += fmt::format("<p>... and {} more</p>\n", one.left_out);
  return html;
}

std::string figure(const Chart& chart) {
  if (chart.series.empty()) return {};
  const std::string svg = to_svg(chart);
  const std::size_t begins = svg.find("<svg");  // without the XML declaration
  return "<figure>" + svg.substr(begins == std::string::npos ? 0 : begins) + "</figure>\n";
}

// escaped() takes one line.
std::string block(std::string_view text) {
  std::string html = "<pre>";
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    html += escaped(text.substr(0, end)) + '\n';
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return html + "</pre>\n";
}

std::string plots(const CampaignResults& results) {
  if (results.top(1).empty()) return {};
  std::string html = "<h2>The best policies</h2>\n";
  html += figure(accuracy_chart(results)) + figure(loss_chart(results)) +
          figure(learning_rate_chart(results));
  for (const PolicyResult* policy : results.top(kPlottedPolicies)) {
    if (!policy->search.m_opt().empty()) html += figure(m_opt_chart(results, *policy));
  }
  return html;
}

}  // namespace

std::string report_page(const CampaignResults& results) {
  const CampaignRecord& campaign = results.campaign;
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
      "<p>Campaign {2} ({3}), {4}</p>\n",
      escaped(campaign.name), kStyle, campaign.id.value, campaign.hash.hex().substr(0, 12),
      state_line(results));
  for (const ResultTable& table : result_tables(results)) html += table_html(table);
  for (const std::string& note : result_notes(results))
    html += fmt::format("<p>{}</p>\n", escaped(note));
  html += plots(results);
  const std::string best = best_policy_yaml(results);
  if (!best.empty()) html += "<h2>The best policy</h2>\n" + block(best);
  html += "<details><summary>The experiment in normal form</summary>\n" +
          block(campaign.experiment.dump(2)) + "</details>\n</body>\n</html>\n";
  return html;
}

}  // namespace lrtune
