// `lrtune policies import|export`: whole stores between teams.
#pragma once

namespace CLI {
class App;
}

namespace lrtune {

// Adds both to `policies`; when one is run it sets `exit_code`.
void add_exchange_commands(CLI::App& policies, int& exit_code);

}  // namespace lrtune
