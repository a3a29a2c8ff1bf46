// `lrtune recommend --experiment FILE`: policies to start with, out of similar trainings.
#pragma once

namespace CLI {
class App;
}

namespace lrtune {

// Adds the command to `app`; when it is run it sets `exit_code`, which must live as long as `app`.
void add_recommend_command(CLI::App& app, int& exit_code);

}  // namespace lrtune
