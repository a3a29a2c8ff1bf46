// A coordinator's answers as people read them. Pure: documents (PROTOCOL.md, Clients) come in, text
// goes out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/core/snapshot.h"
#include "coordinator/report/terminal.h"

namespace lrtune {

// A list of campaigns as a table, newest first.
std::string campaigns_table(const nlohmann::json& campaigns, const Terminal& terminal);

// One campaign: how far it is, what runs, the best policies.
std::string campaign_page(const nlohmann::json& campaign, const Terminal& terminal);

// Workers as a table, then the orders about workers.
std::string workers_table(const nlohmann::json& workers, const nlohmann::json& orders,
                          const Terminal& terminal);

// "campaign 3 (mine): searching, 5 of 40 trials ended", for the answer to an order.
std::string campaign_line(const nlohmann::json& campaign);

// For the live progress that `lrtune run` shows as well.
CampaignView campaign_view(const nlohmann::json& campaign);

}  // namespace lrtune
