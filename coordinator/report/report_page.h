// A campaign's report as one page for a browser. Pure.
#pragma once

#include <string>

#include "coordinator/report/results.h"

namespace lrtune {

// A complete HTML document that needs nothing else: tables, plots, the best policy, the experiment.
// Readable in light and dark surroundings, narrow and on paper. Text is escaped.
std::string report_page(const CampaignResults& results);

}  // namespace lrtune
