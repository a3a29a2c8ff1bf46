#include "coordinator/store/provenance.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "coordinator/store/sql_values.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

const char* const kSelect =
    "SELECT trial.id, trial.campaign, campaign.name, campaign.hash, trial.seed, "
    "coalesce(job.worker, ''), coalesce(job.attempt, 0), "
    "(SELECT coalesce(max(at), 0) FROM decision WHERE decision.trial = trial.id), "
    "identity.document, job.from_state, "
    "coalesce((SELECT numbers FROM decision WHERE decision.trial IS NULL "
    "AND decision.campaign = trial.campaign AND code = 'imported' ORDER BY id DESC LIMIT 1), ''), "
    "CASE trial.policy WHEN ?1 THEN 0 ELSE trial.policy END "
    "FROM trial JOIN campaign ON campaign.id = trial.campaign "
    "JOIN identity ON identity.id = trial.identity LEFT JOIN job ON job.id = trial.job "
    "WHERE trial.policy = ?1 OR trial.job IN (SELECT job FROM realised WHERE policy = ?1) "
    "ORDER BY trial.id";

Provenance read(const sql::Rows& row) {
  Provenance one;
  one.trial = TrialId{row.integer(0)};
  one.campaign = CampaignId{row.integer(1)};
  one.campaign_name = row.string(2);
  one.experiment = row.digest(3);
  one.seed = static_cast<std::uint64_t>(row.integer(4));
  one.worker = row.string(5);
  one.attempt = row.integer(6);
  one.ended_at = row.integer(7);
  const auto identity =
      sql::stored(training_identity_from_json(nlohmann::json::parse(row.text(8))));
  one.data = identity.data.fingerprint;
  one.numerics = identity.numerics;
  if (!row.null(9)) one.from_state = row.digest(9);
  if (!row.text(10).empty())
    one.imported_from = nlohmann::json::parse(row.text(10)).at("store").get<std::string>();
  one.realised_by = row.integer(11);
  return one;
}

}  // namespace

Result<std::vector<Provenance>> provenance_of(const std::string& store, std::int64_t policy) {
  auto database = open_for_reading(store);
  if (!database) return tl::unexpected(database.error());
  try {
    sql::Rows rows(**database, kSelect, policy);
    std::vector<Provenance> all;
    while (rows.next()) all.push_back(read(rows));
    return all;
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot read the store {}: {}", store, error.what()));
  }
}

}  // namespace lrtune
