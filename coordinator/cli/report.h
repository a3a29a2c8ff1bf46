// `lrtune report`: a campaign's tables, plots and page, out of the store.
#pragma once

namespace CLI {
class App;
}

namespace lrtune {

void add_report_command(CLI::App& app, int& exit_code);

}  // namespace lrtune
