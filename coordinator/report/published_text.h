// Published policies as text and as JSON. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/ranking/published.h"
#include "coordinator/report/terminal.h"

namespace lrtune {

std::string published_text(const PublishedContent& content, const Terminal& terminal);
nlohmann::json published_json(const PublishedContent& content);

}  // namespace lrtune
