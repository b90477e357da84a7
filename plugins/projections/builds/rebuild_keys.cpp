#include "builds/rebuild_keys.hpp"

#include <algorithm>
#include <string>
#include <summa/crash_point.hpp>
#include <summa/ledger/event_table.hpp>
#include <vector>

#include "engine/progress_table.hpp"
#include "projections_sql.hpp"
#include "source/departed.hpp"
#include "source/event_source.hpp"
#include "source/ledger_lookup.hpp"

namespace summa::projections {
namespace {

// A person waits. Beyond it, a rebuild of the whole projection is faster.
constexpr std::size_t kMaxKeys = 10'000;
constexpr int kPage = 2000;  // events

// The statement for the aggregates in which the key can have events.
std::string Aggregates(const summa_projection& projection, ledger::Layout layout) {
  const bool transaction = projection.key == SUMMA_KEY_TRANSACTION;
  if (layout == ledger::Layout::kPlan) {
    return std::string(transaction ? sql::plan_aggregates_of_transaction : "SELECT $1::uuid");
  }
  return std::string(transaction ? sql::aggregates_of_transaction : sql::aggregates_of_account);
}

// Of events in them that the build has, in order; some are of other keys.
std::vector<std::int64_t> PositionsOf(Session& ledger, const ledger::EventTable& table,
                                      const summa_projection& projection,
                                      const std::set<Uuid>& keys,
                                      const ledger::Checkpoint& checkpoint) {
  std::string statement = "SELECT e." + table.position + "::bigint AS position FROM " + table.name +
                          " e WHERE e.aggregate_type IN ('account', 'hold', 'transaction') AND "
                          "e.aggregate_id IN (" +
                          Aggregates(projection, table.layout) + ")";
  if (table.layout == ledger::Layout::kPlan && projection.key == SUMMA_KEY_TRANSACTION) {
    statement += " AND e.event_data->>'transactionId' = ($1::uuid)::text";
  }
  std::set<std::int64_t> positions;
  for (const Uuid& key : keys) {
    for (const Row row : ledger.Exec(statement, {UuidValue(key)})) {
      const auto position = row.Get<std::int64_t>("position");
      if (checkpoint.Has(position)) positions.insert(position);
    }
  }
  return {positions.begin(), positions.end()};
}

// The key, and the accounts that share its rows.
std::set<Uuid> WithThoseOfItsRows(Session& ledger, const Applier& applier, const Uuid& key) {
  std::set<Uuid> keys = {key};
  if (!applier.SharesRows()) return keys;
  for (const Row row : ledger.Exec(sql::accounts_of_holder, {UuidValue(key)})) {
    keys.insert(row.Get<Uuid>("id"));
  }
  return keys;
}

// After the events were read: a range is recorded before it leaves.
void RequireWhole(Session& ledger, const ledger::EventTable& table,
                  const summa_projection& projection, const std::set<Uuid>& keys) {
  const std::string aggregates = Aggregates(projection, table.layout);
  for (const Uuid& key : keys) RequireWholeAggregates(ledger, table, aggregates, key);
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
  std::vector<std::shared_ptr<const KnownAccount>> known;
  if (applier.projection().key == SUMMA_KEY_ACCOUNT) known = ReadAccounts(ledger, {&key, 1});
  applier.ForgetKey(read, sql, *live, key, known.empty() ? nullptr : &known[0]->record);
  const std::set<Uuid> keys = WithThoseOfItsRows(ledger, applier, key);
  const std::vector<std::int64_t> positions =
      PositionsOf(ledger, table, applier.projection(), keys, live->checkpoint);
  for (std::size_t from = 0; from < positions.size(); from += kPage) {
    const std::size_t count = std::min<std::size_t>(kPage, positions.size() - from);
    const auto batch =
        ReadPositions(ledger, table, std::span(positions).subspan(from, count), applier.records());
    applier.ReplayKeys(read, sql, *live, *batch, keys);
  }
  RequireWhole(ledger, table, applier.projection(), keys);
  for (const Uuid& made : keys) Unpause(read, *live, made);
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
    const auto batch = ReadDecided(ledger, table, done, to, kPage, applier.records());
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
                std::string(FromAbi(applier.projection().id)) +
                    " has no way to make the rows of one key anew",
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
