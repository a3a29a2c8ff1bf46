// `lrtune compose`: a composite learning-rate policy for a training, and what it is worth beside
// single functions.
#pragma once

namespace CLI {
class App;
}

namespace lrtune {

// Adds the command to `app`; when it is run it sets `exit_code`, which must live as long as `app`.
void add_compose_command(CLI::App& app, int& exit_code);

}  // namespace lrtune
