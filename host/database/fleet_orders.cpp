#include "host/database/fleet_orders.hpp"

#include <utility>

#include "host/database/connection_settings.hpp"
#include "host/database/lease_statements.hpp"

namespace summa::host {
namespace {

constexpr const char* kReadOrders = R"sql(
SELECT coalesce(s.paused, false), p.error, coalesce(r.run, 0), greatest(coalesce(r.lease, 0), 0),
       coalesce(p.host = '', false)
FROM unnest($2::text[]) WITH ORDINALITY AS w(id, place)
LEFT JOIN summa_host.worker_state s ON s.worker_id = w.id
LEFT JOIN LATERAL (
  SELECT error, host FROM summa_host.worker_parked
  WHERE worker_id = w.id AND host IN ($1, '') ORDER BY host LIMIT 1) p ON true
LEFT JOIN (
  SELECT worker_id, min(id) FILTER (WHERE kind = 'run' AND taken_by IS NULL) AS run,
         (extract(epoch FROM max(expires_at) FILTER (WHERE kind = 'lease') - clock_timestamp())
          * 1000000)::bigint AS lease
  FROM summa_host.worker_request WHERE expires_at > clock_timestamp() GROUP BY worker_id
) r ON r.worker_id = w.id
ORDER BY w.place)sql";

constexpr const char* kPause = R"sql(
INSERT INTO summa_host.worker_state AS w
  (worker_id, plugin, kind, state, host, paused, paused_by, paused_reason, paused_since)
VALUES ($1, $2, $3, 'stopped', '', true, $4, nullif(left($5, 2000), ''), clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  paused = true, paused_by = excluded.paused_by, paused_reason = excluded.paused_reason,
  paused_since = CASE WHEN w.paused THEN w.paused_since ELSE excluded.paused_since END)sql";

constexpr const char* kResume = R"sql(
WITH parked AS (DELETE FROM summa_host.worker_parked WHERE worker_id = $1 RETURNING 1),
     start AS (
  UPDATE summa_host.worker_start SET unfinished = false, deaths = 0, crashes = 0
  WHERE worker_id = $1),
     state AS (
  UPDATE summa_host.worker_state SET
    paused = false, paused_by = NULL, paused_reason = NULL, paused_since = NULL,
    last_error = CASE WHEN state = 'parked' THEN NULL ELSE last_error END,
    state = CASE WHEN state = 'parked' THEN 'stopped' ELSE state END
  WHERE worker_id = $1 AND (paused OR state = 'parked') RETURNING 1)
SELECT EXISTS (SELECT FROM parked) OR EXISTS (SELECT FROM state))sql";

// One row for every host that parked the worker, beside the state that the last one wrote. A host
// without a name is every host.
constexpr const char* kPark = R"sql(
INSERT INTO summa_host.worker_parked AS p (worker_id, host, error) VALUES ($1, $2, left($3, 2000))
ON CONFLICT (worker_id, host) DO UPDATE SET error = excluded.error, parked_at = clock_timestamp()
)sql";

// A start under an older fence writes nothing: its host was frozen. Crashes further apart than ten
// minutes have nothing to do with each other.
constexpr const char* kBegin = R"sql(
INSERT INTO summa_host.worker_start AS s (worker_id, host, fence, unfinished)
VALUES ($1, $2, $3::bigint, $3::bigint > 0)
ON CONFLICT (worker_id) DO UPDATE SET
  host = excluded.host, fence = excluded.fence, unfinished = excluded.unfinished,
  began_at = excluded.began_at,
  deaths = s.deaths + (s.unfinished AND s.fence < excluded.fence)::int,
  crashes = CASE WHEN s.crashed_at > clock_timestamp() - interval '10 minutes' THEN s.crashes ELSE 0 END
WHERE s.fence <= excluded.fence
RETURNING deaths, crashes, crash)sql";

constexpr const char* kReturned = R"sql(
UPDATE summa_host.worker_start SET
  unfinished = false, deaths = CASE WHEN $3::boolean THEN 0 ELSE deaths END
WHERE worker_id = $1 AND fence = $2::bigint)sql";

std::string CrashedStatement(const std::string& quoted_schema) {
  return R"sql(
INSERT INTO summa_host.worker_start AS s
  (worker_id, host, fence, unfinished, crashes, crashed_at, crash)
VALUES ($1, $2, 0, false, 1, clock_timestamp(), left($4, 2000))
ON CONFLICT (worker_id) DO UPDATE SET
  crashes = 1 + CASE WHEN s.crashed_at > clock_timestamp() - interval '10 minutes'
                     THEN s.crashes ELSE 0 END,
  crashed_at = excluded.crashed_at, crash = excluded.crash,
  unfinished = s.unfinished AND EXISTS (
    SELECT FROM )sql" +
         quoted_schema + R"sql(.worker_lease WHERE worker_id = $1 AND lease_holder <> $3))sql";
}
// As often as a worker by default: one host may break by chance.
constexpr const char* kCrashingPlugins = R"sql(
SELECT p.id, s.crashes, s.crash FROM unnest($1::text[]) AS p(id)
JOIN summa_host.worker_start s ON s.worker_id = $2 || p.id WHERE s.crashes >= 2 ORDER BY 1)sql";

constexpr const char* kResumePlugin =
    "UPDATE summa_host.worker_start SET crashes = 0 WHERE worker_id = $1 AND crashes > 0 RETURNING "
    "1";

constexpr const char* kUnpark =
    "DELETE FROM summa_host.worker_parked WHERE worker_id = $1 AND host = $2";

constexpr const char* kReport = R"sql(
INSERT INTO summa_host.worker_state AS w
  (worker_id, plugin, kind, state, host, last_error, updated_at)
VALUES ($1, $2, $3, $6, $4, left($5, 2000), clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  state = excluded.state, host = excluded.host, last_error = excluded.last_error,
  updated_at = excluded.updated_at)sql";

constexpr const char* kCrashedState = R"sql(
UPDATE summa_host.worker_state SET
  state = 'error', last_error = left($3, 2000), updated_at = clock_timestamp()
WHERE worker_id = $1 AND host = $2)sql";

// The next command removes what commands that died left behind. A requester reads its answer at
// once.
constexpr const char* kRequest = R"sql(
WITH gone AS (
  DELETE FROM summa_host.worker_request WHERE expires_at < clock_timestamp() - interval '1 hour')
INSERT INTO summa_host.worker_request (worker_id, kind, requested_by, expires_at)
VALUES ($1, $2, $3, clock_timestamp() + $4::bigint * interval '1 microsecond') RETURNING id)sql";

constexpr const char* kExtend = R"sql(
UPDATE summa_host.worker_request
SET expires_at = clock_timestamp() + $2::bigint * interval '1 microsecond' WHERE id = $1)sql";

constexpr const char* kWithdraw =
    "DELETE FROM summa_host.worker_request WHERE id = $1 AND taken_by IS NULL RETURNING 1";

constexpr const char* kSeen =
    "UPDATE summa_host.worker_request SET seen_by = $2 WHERE id = $1 AND seen_by IS NULL";

constexpr const char* kTake = R"sql(
UPDATE summa_host.worker_request SET taken_by = $2
WHERE id = $1 AND taken_by IS NULL AND expires_at > clock_timestamp() RETURNING 1)sql";

constexpr const char* kFinish = R"sql(
UPDATE summa_host.worker_request SET
  finished_at = clock_timestamp(), outcome = $2, runs = $3, items = $4, duration_microseconds = $5,
  error = nullif(left($6, 2000), ''), exit_code = $7
WHERE id = $1)sql";

constexpr const char* kReadRun = R"sql(
SELECT seen_by IS NOT NULL OR taken_by IS NOT NULL, taken_by, finished_at IS NOT NULL, outcome,
       runs, items, duration_microseconds, error, exit_code
FROM summa_host.worker_request WHERE id = $1)sql";

}  // namespace

FleetOrders::FleetOrders(std::shared_ptr<FleetConnection> connection)
    : connection_(std::move(connection)) {}

FleetOrders::FleetOrders(const DatabaseSettings& ledger)
    : FleetOrders(std::make_shared<FleetConnection>(ledger)) {}

std::vector<WorkerOrders> FleetOrders::Read(const std::string& host,
                                            const std::vector<std::string>& workers) {
  std::vector<WorkerOrders> orders;
  orders.reserve(workers.size());
  for (const auto& row : connection_->Query(kReadOrders, {host, TextArrayLiteral(workers)})) {
    WorkerOrders& each = orders.emplace_back();
    each.paused = row.at(0) == "t";
    each.parked_error = row.at(1).value_or("");
    each.parked_everywhere = row.at(4) == "t";
    each.run_request = std::stoll(row.at(2).value());
    each.lease_asked_for = Microseconds(std::stoll(row.at(3).value()));
  }
  return orders;
}

void FleetOrders::Pause(const WorkerName& worker, const std::string& by,
                        const std::string& reason) {
  connection_->Query(kPause, {worker.id, worker.plugin, worker.kind(), by, reason});
}

bool FleetOrders::Resume(const std::string& worker_id) {
  return connection_->Query(kResume, {worker_id}).at(0).at(0) == "t";
}

void FleetOrders::Park(const WorkerName& worker, const std::string& host, const std::string& error,
                       bool everywhere) {
  Report(worker, host, "parked", error);
  connection_->Query(kPark, {worker.id, everywhere ? "" : host, error});
}

EarlierStarts FleetOrders::Begin(const std::string& worker_id, const std::string& host,
                                 std::int64_t fence) {
  const TextRows rows = connection_->Query(kBegin, {worker_id, host, std::to_string(fence)});
  if (rows.empty()) return {};
  const auto& row = rows[0];
  return {std::stoi(row.at(0).value()), std::stoi(row.at(1).value()), row.at(2).value_or("")};
}

void FleetOrders::Returned(const std::string& worker_id, std::int64_t fence, bool called) {
  connection_->Query(kReturned, {worker_id, std::to_string(fence), called ? "true" : "false"});
}

void FleetOrders::Crashed(const std::string& worker_id, const std::string& host,
                          const std::string& holder, const std::string& crash) {
  const std::string schema = QuoteIdentifier(connection_->schema());
  connection_->Query(CrashedStatement(schema), {worker_id, host, holder, crash});
  connection_->Query(kCrashedState, {worker_id, host, crash});
}

std::vector<CrashingPlugin> FleetOrders::CrashingPlugins(const std::vector<std::string>& plugins) {
  std::vector<CrashingPlugin> crashing;
  const TextRows rows =
      connection_->Query(kCrashingPlugins, {TextArrayLiteral(plugins), std::string(kPluginPrefix)});
  for (const auto& row : rows) {
    crashing.push_back({row.at(0).value(), std::stoi(row.at(1).value()), row.at(2).value_or("")});
  }
  return crashing;
}

bool FleetOrders::ResumePlugin(const std::string& plugin) {
  return !connection_->Query(kResumePlugin, {kPluginPrefix + plugin}).empty();
}

void FleetOrders::Unpark(const std::string& worker_id, const std::string& host) {
  connection_->Query(kUnpark, {worker_id, host});
}

void FleetOrders::Report(const WorkerName& worker, const std::string& host,
                         const std::string& state, const std::string& error) {
  connection_->Query(kReport, {worker.id, worker.plugin, worker.kind(), host, error, state});
}

std::int64_t FleetOrders::Request(const char* kind, const std::string& worker_id,
                                  const std::string& by, Microseconds lifetime) {
  const TextRows rows =
      connection_->Query(kRequest, {worker_id, kind, by, std::to_string(lifetime.count())});
  return std::stoll(rows.at(0).at(0).value());
}

void FleetOrders::Extend(std::int64_t request, Microseconds lifetime) {
  connection_->Query(kExtend, {std::to_string(request), std::to_string(lifetime.count())});
}

bool FleetOrders::Withdraw(std::int64_t request) {
  return !connection_->Query(kWithdraw, {std::to_string(request)}).empty();
}

void FleetOrders::Seen(std::int64_t request, const std::string& host) {
  connection_->Query(kSeen, {std::to_string(request), host});
}

bool FleetOrders::Take(std::int64_t request, const std::string& host) {
  return !connection_->Query(kTake, {std::to_string(request), host}).empty();
}

void FleetOrders::Finish(std::int64_t request, const RunSummary& result) {
  connection_->Query(
      kFinish, {std::to_string(request), result.outcome, std::to_string(result.runs),
                std::to_string(result.items), std::to_string(result.duration.count()), result.error,
                std::to_string(result.exit_code)});
}

std::optional<RequestedRun> FleetOrders::ReadRun(std::int64_t request) {
  const TextRows rows = connection_->Query(kReadRun, {std::to_string(request)});
  if (rows.empty()) return std::nullopt;
  const auto& row = rows[0];
  RequestedRun run;
  run.seen = row.at(0) == "t";
  run.host = row.at(1).value_or("");
  run.finished = row.at(2) == "t";
  run.outcome = row.at(3).value_or("");
  run.runs = std::stoll(row.at(4).value_or("0"));
  run.items = std::stoll(row.at(5).value_or("0"));
  run.duration = Microseconds(std::stoll(row.at(6).value_or("0")));
  run.error = row.at(7).value_or("");
  run.exit_code = std::stoi(row.at(8).value_or("0"));
  return run;
}

}  // namespace summa::host
