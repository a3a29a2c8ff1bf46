// `lrtune export POLICY --format FORMAT`: a policy as code or data for other programs.
#pragma once

namespace CLI {
class App;
}

namespace lrtune {

// Adds the command to `app`; when it is run it sets `exit_code`, which must live as long as `app`.
void add_export_command(CLI::App& app, int& exit_code);

}  // namespace lrtune
