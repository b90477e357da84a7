#include "builds/rebuild_keys.hpp"

#include <algorithm>
#include <string>
#include <summa/crash_point.hpp>
#include <summa/ledger/event_table.hpp>
#include <vector>

#include "engine/progress_table.hpp"
#include "projections_sql.hpp"
#include "source/event_source.hpp"

namespace summa::projections {
namespace {

// A person waits. Beyond it, a rebuild of the whole projection is faster.
constexpr std::size_t kMaxKeys = 10'000;
constexpr int kPage = 2000;  // events

std::string_view PositionsStatement(const summa_projection& projection, ledger::Layout layout) {
  const bool transaction = projection.key == SUMMA_KEY_TRANSACTION;
  if (layout == ledger::Layout::kPlan) {
    return transaction ? sql::plan_positions_of_transaction : sql::plan_positions_of_account;
  }
  return transaction ? sql::positions_of_transaction : sql::positions_of_account;
}

// What the key can have events in, oldest first; some are of other keys.
std::vector<std::int64_t> PositionsOf(Session& ledger, const ledger::EventTable& table,
                                      const summa_projection& projection, const Uuid& key) {
  std::vector<std::int64_t> positions;
  for (const Row row :
       ledger.Exec(PositionsStatement(projection, table.layout), {UuidValue(key)})) {
    positions.push_back(row.Get<std::int64_t>("position"));
  }
  return positions;
}

std::int64_t RebuildKey(Session& read, Session& ledger, const summa_sql_v1* sql,
                        const ledger::EventTable& table, const Applier& applier, const Uuid& key) {
  const std::string id(FromAbi(applier.projection().id));
  read.Begin();
  read.Exec("SELECT FROM summa_read.projection_checkpoint WHERE projection = $1 FOR UPDATE", {id});
  const std::vector<Build> builds = ReadBuilds(read);
  const Build* live = FindRole(builds, id, "live");
  if (live == nullptr || live->version != applier.projection().version) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0557",
                "the projection " + id + " has no build of the version of this host",
                "`summa-host projections list` shows what it has");
  }
  applier.ForgetKey(read, sql, *live, key);
  std::vector<std::int64_t> positions = PositionsOf(ledger, table, applier.projection(), key);
  std::erase_if(positions, [&](std::int64_t at) { return !live->checkpoint.Has(at); });
  for (std::size_t from = 0; from < positions.size(); from += kPage) {
    const std::size_t count = std::min<std::size_t>(kPage, positions.size() - from);
    const auto batch = ReadPositions(ledger, table, std::span(positions).subspan(from, count));
    applier.ReplayKey(read, sql, *live, *batch, key);
  }
  Unpause(read, *live, key);
  CrashPoint("projections.key_rebuilt");
  read.Commit();
  return static_cast<std::int64_t>(positions.size());
}

}  // namespace

std::set<Uuid> KeysBetween(const summa_sql_v1* sql, const Applier& applier, std::int64_t from,
                           std::int64_t to) {
  Session ledger(sql);
  const ledger::EventTable table = ledger::FindEvents(ledger);
  std::set<Uuid> keys;
  for (std::int64_t done = from - 1; done < to;) {
    const auto batch = ReadDecided(ledger, table, done, to, kPage);
    keys.merge(applier.KeysOf(*batch));
    if (keys.size() > kMaxKeys) {
      throw Error(SUMMA_E_USAGE, "SH-0566",
                  "more than " + std::to_string(kMaxKeys) + " keys have events from " +
                      std::to_string(from) + " to " + std::to_string(to),
                  "Rebuild the projection as a whole: without --from and --to");
    }
    done = batch->reached.position;
  }
  return keys;
}

RebuiltKeys RebuildKeys(const summa_sql_v1* sql, const Applier& applier, const std::set<Uuid>& keys,
                        const std::function<bool(std::int64_t)>& progress) {
  if (!applier.CanForget()) {
    throw Error(SUMMA_E_USAGE, "SH-0566",
                "rows of " + std::string(FromAbi(applier.projection().id)) +
                    " belong to several accounts, so that one cannot be made anew alone",
                "Rebuild the projection as a whole: without --key, --from and --to");
  }
  Session read(sql, "read"), ledger(sql);
  const ledger::EventTable table = ledger::FindEvents(ledger);
  RebuiltKeys rebuilt;
  for (const Uuid& key : keys) {
    if (progress(rebuilt.keys)) {
      throw Error(SUMMA_E_CANCELLED, "SH-0558",
                  "told to stop after " + std::to_string(rebuilt.keys) + " keys", "Run it again");
    }
    rebuilt.events += RebuildKey(read, ledger, sql, table, applier, key);
    ++rebuilt.keys;
  }
  return rebuilt;
}

}  // namespace summa::projections
