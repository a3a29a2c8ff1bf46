// Published policies as text and as JSON. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/cli/terminal.h"
#include "coordinator/ranking/published.h"

namespace lrtune {

std::string published_text(const PublishedContent& content, const Terminal& terminal);
nlohmann::json published_json(const PublishedContent& content);

}  // namespace lrtune
