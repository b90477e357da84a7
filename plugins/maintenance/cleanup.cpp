#include "cleanup.hpp"

#include <optional>
#include <span>
#include <summa/crash_point.hpp>
#include <summa/sql.hpp>
#include <utility>

namespace summa::maintenance {
namespace {

// Longer than the longest interval of the three workers, with its jitter.
constexpr std::chrono::hours kKnownFor{48};

CleanupNames NamesOf(const ExpiringTable& table) {
  return {.code = "SH-0841",
          .rows = std::string("maintenance: old rows of ") + table.table,
          .refused = std::string("the ledger refuses to delete old rows of ") + table.table,
          .known_for = kKnownFor};
}

class ExpiredRows final : public RemovableRows {
 public:
  // before: by the clock of the database.
  ExpiredRows(const ExpiringTable& table, DatabaseTime before) : before_(before) {
    const std::string name = table.table, key = table.key, time = table.time;
    const std::string type = table.key_type;
    next_ = "SELECT " + key + "::text AS key, " + time + " AS time FROM " + name + " WHERE " +
            time + " < $1 AND " + time + " >= $2 AND (" + time + " > $2 OR $3::" + type +
            " IS NULL OR " + key + " > $3::" + type + ") ORDER BY " + time + ", " + key +
            " LIMIT $4";
    // Asked again under the lock: a row may have been renewed meanwhile.
    delete_ = "WITH free AS MATERIALIZED (SELECT " + key + " FROM " + name + " WHERE " + key +
              " = ANY ($1::text[]::" + type + "[]) AND " + time +
              " < $2 FOR UPDATE SKIP LOCKED) DELETE FROM " + name + " t USING free WHERE t." + key +
              " = free." + key;
  }

  std::vector<std::string> Next(Session& session, std::int64_t limit) override {
    const Result found = session.Exec(next_, {Timestamp(before_), Timestamp(time_),
                                              key_ ? Parameter(*key_) : Parameter(nullptr), limit});
    std::vector<std::string> keys;
    keys.reserve(found.rows());
    for (const Row row : found) {
      keys.push_back(row.Get<std::string>("key"));
      time_ = row.Get<DatabaseTime>("time");
    }
    if (!keys.empty()) key_ = keys.back();
    CrashPoint("maintenance.cleanup_found");
    return keys;
  }

  std::int64_t Delete(Session& session, std::span<const std::string> keys) override {
    const std::int64_t deleted =
        session.Exec(delete_, {TextArray(keys), Timestamp(before_)}).affected_rows();
    CrashPoint("maintenance.cleanup_deleted");
    return deleted;
  }

 private:
  std::string next_, delete_;
  const DatabaseTime before_;
  // Of the last row that was found.
  DatabaseTime time_ = DatabaseTime::min();
  std::optional<std::string> key_;
};

}  // namespace

Cleanup::Cleanup(Host host, const ExpiringTable& table, std::chrono::microseconds age)
    : host_(host), table_(table), age_(age), rows_(host, NamesOf(table)) {}

TickResult Cleanup::Run(const Tick& tick) {
  Session session(tick.sql());
  if (!TableExists(session)) return {};
  const DatabaseTime now = session.Exec("SELECT clock_timestamp()").Value<DatabaseTime>();
  ExpiredRows expired(table_, now - age_);
  const Metric deleted = host_.Counter("summa_cleanup_deleted_rows_total",
                                       "Old rows that were deleted.", {{"worker", table_.worker}});
  TickResult result;
  result.items = rows_.Run(CallerOf(host_, tick), session, expired,
                           [&](std::int64_t rows) { deleted.Add(static_cast<double>(rows)); });
  host_
      .Gauge("summa_cleanup_refused_rows", "Old rows that the ledger refuses to delete.",
             {{"worker", table_.worker}})
      .Set(static_cast<double>(rows_.refused()));
  return result;
}

bool Cleanup::TableExists(Session& session) {
  const bool exists =
      session.Exec("SELECT to_regclass($1) IS NOT NULL", {table_.table}).Value<bool>();
  if (!exists && !std::exchange(missing_, true)) {
    host_.Info("the ledger has no such table; there is nothing to delete",
               {{"table", table_.table}});
  }
  if (exists) missing_ = false;
  return exists;
}

}  // namespace summa::maintenance
