// A campaign's results as plots, and its best policy as a file's text. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "coordinator/plot/chart.h"
#include "coordinator/report/results.h"

namespace lrtune {

inline constexpr std::size_t kPlottedPolicies = 5;  // the best ones

// The best policy as YAML with a comment that says where it comes from; "" if none ended well.
std::string best_policy_yaml(const CampaignResults& results);

Chart learning_rate_chart(const CampaignResults& results);
Chart accuracy_chart(const CampaignResults& results);
Chart loss_chart(const CampaignResults& results);
Chart m_opt_chart(const CampaignResults& results, const PolicyResult& policy);

}  // namespace lrtune
