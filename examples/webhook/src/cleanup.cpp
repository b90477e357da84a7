#include "cleanup.hpp"

#include <summa/sql.hpp>
#include <summa/work.hpp>

namespace webhook {
namespace {

constexpr std::int64_t kBatch = 1000;

// $1: older than so many microseconds; $2: the state; $3: at most so many rows.
constexpr std::string_view kSettled = R"sql(
DELETE FROM webhook.delivery WHERE number IN (
  SELECT number FROM webhook.delivery
  WHERE state = $2 AND settled_at < clock_timestamp() - $1 * interval '1 microsecond'
  ORDER BY settled_at LIMIT $3 FOR UPDATE SKIP LOCKED)
)sql";

// Of endpoints that were removed.
constexpr std::string_view kOrphans = R"sql(
DELETE FROM webhook.delivery WHERE number IN (
  SELECT d.number FROM webhook.delivery d
  WHERE NOT EXISTS (SELECT FROM webhook.endpoint e WHERE e.id = d.endpoint)
  LIMIT $1 FOR UPDATE SKIP LOCKED)
)sql";

constexpr std::string_view kOrphanLanes = R"sql(
DELETE FROM webhook.lane l WHERE NOT EXISTS (
  SELECT FROM webhook.endpoint e WHERE e.id = l.endpoint)
)sql";

constexpr std::string_view kExpiredSecrets =
    "DELETE FROM webhook.secret WHERE expires_at < clock_timestamp()";

// One batch in a transaction of its own; the number of rows.
std::int64_t Delete(summa::Session& session, std::string_view statement,
                    std::initializer_list<summa::Parameter> parameters) {
  session.Begin();
  const std::int64_t rows = session.Exec(statement, parameters).affected_rows();
  session.Commit();
  return rows;
}

}  // namespace

summa::TickResult Cleanup::Run(const summa::Tick& tick) {
  summa::Session session(tick.sql());
  const summa::WorkCaller caller = summa::CallerOf(host_, tick);
  std::int64_t deleted = 0;
  const auto all = [&](std::string_view statement,
                       std::initializer_list<summa::Parameter> parameters) {
    return summa::InBatches(caller, [&] {
      const std::int64_t rows = Delete(session, statement, parameters);
      deleted += rows;
      return rows == kBatch;
    });
  };
  const bool whole = all(kSettled, {retention_.count(), "delivered", kBatch}) &&
                     all(kSettled, {dead_retention_.count(), "dead", kBatch}) &&
                     all(kOrphans, {kBatch});
  if (whole) deleted += Delete(session, kOrphanLanes, {}) + Delete(session, kExpiredSecrets, {});
  return {deleted, false, std::nullopt};
}

}  // namespace webhook
