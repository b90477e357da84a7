#include "host/database/worker_store.hpp"

#include <sstream>
#include <utility>

#include "host/database/connection_settings.hpp"
#include "host/database/lease_statements.hpp"
#include "host/database/whole_tables.hpp"

namespace summa::host {
namespace {

// From the parameters $7 (microseconds) and $8 (times of the day); null without $7.
constexpr const char* kNextDue = R"sql(
  CASE WHEN cardinality($8::bigint[]) > 0
       THEN summa_host.next_time_of_day($8::bigint[], clock_timestamp())
       ELSE clock_timestamp() END + $7::bigint * interval '1 microsecond')sql";

constexpr const char* kUntilDue =
    " RETURNING (extract(epoch FROM next_due_at - clock_timestamp()) * 1000000)::bigint";

// An error is cut at 2,000 characters, by the server, which never cuts one in two.
std::string RecordRunStatement() {
  return std::string(R"sql(
WITH held AS MATERIALIZED (
  SELECT 1 FROM summa_host.worker_fence WHERE worker = $1 AND fence = $10::bigint FOR SHARE)
INSERT INTO summa_host.worker_state AS w
  (worker_id, plugin, kind, state, host, last_run_at, last_success_at, next_due_at, last_error,
   schedule, updated_at)
SELECT $1, $2, $3,
        CASE WHEN NOT $5::boolean THEN 'error' WHEN $3 = 'continuous' THEN 'running' ELSE 'waiting' END,
        $4, clock_timestamp(),
        CASE WHEN $5::boolean THEN clock_timestamp() END,)sql") +
         kNextDue + R"sql(, left($6, 2000), nullif($9, ''), clock_timestamp()
WHERE $10::bigint = 0 OR EXISTS (SELECT FROM held)
ON CONFLICT (worker_id) DO UPDATE SET
  plugin = excluded.plugin, kind = excluded.kind, state = excluded.state, host = excluded.host,
  last_run_at = excluded.last_run_at,
  last_success_at = coalesce(excluded.last_success_at, w.last_success_at),
  next_due_at = coalesce(excluded.next_due_at, w.next_due_at),
  schedule = CASE WHEN excluded.next_due_at IS NULL THEN w.schedule ELSE excluded.schedule END,
  last_error = excluded.last_error, updated_at = excluded.updated_at)sql" +
         kUntilDue;
}

// The numbers of the parameters are those of a recorded run: $5 is whether the worker is well,
// which a worker without a row is, and $6 the due time that is known.
std::string MoveDueStatement() {
  return std::string(R"sql(
INSERT INTO summa_host.worker_state AS w
  (worker_id, plugin, kind, state, host, next_due_at, schedule, updated_at)
VALUES ($1, $2, $3, CASE WHEN $5::boolean THEN 'waiting' ELSE 'error' END, $4,)sql") +
         kNextDue + R"sql(, nullif($9, ''), clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  next_due_at = excluded.next_due_at, schedule = excluded.schedule, updated_at = excluded.updated_at
WHERE w.next_due_at IS NOT DISTINCT FROM nullif($6, '')::timestamptz)sql" +
         kUntilDue;
}

constexpr const char* kRecordState = R"sql(
INSERT INTO summa_host.worker_state AS w (worker_id, plugin, kind, state, host, updated_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  plugin = excluded.plugin, kind = excluded.kind, state = excluded.state, host = excluded.host,
  updated_at = excluded.updated_at)sql";

constexpr const char* kDue = R"sql(
SELECT (extract(epoch FROM next_due_at - clock_timestamp()) * 1000000)::bigint, next_due_at, schedule
FROM summa_host.worker_state WHERE worker_id = $1 AND next_due_at IS NOT NULL)sql";

FencedFailure Fenced(const std::string& worker_id) {
  return {
      Error{"SH-0301", "the lease of " + worker_id + " was gone before its run could be recorded",
            "Another host continues the work; check clocks, pauses and lease_ttl when this happens "
            "often",
            ""},
      ""};
}

std::string TimesLiteral(const std::vector<Microseconds>& times) {
  std::string text = "{";
  for (const Microseconds time : times) {
    if (text.size() > 1) text += ',';
    text += std::to_string(time.count());
  }
  return text + "}";
}

std::optional<Microseconds> ReadTime(const TextRows& rows) {
  if (rows.empty() || !rows[0].at(0)) return std::nullopt;
  return Microseconds(std::stoll(*rows[0].at(0)));
}

// The names in a text with one a line.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string WorkersQuery(const std::string& schema) {
  // The host that ran a leased worker no longer runs it when nobody holds the lease.
  return "SELECT worker_id, s.kind, CASE WHEN s.state = 'running' AND f.fence IS NOT NULL AND "
         "l.lease_holder IS NULL THEN 'stopped' ELSE s.state END, s.host, " +
         IsoTime("s.last_run_at") + ", " + IsoTime("s.last_success_at") + ", " +
         IsoTime("s.next_due_at") + ", s.last_error, l.lease_holder, " + IsoTime("l.lease_until") +
         ", s.plugin, s.paused_by, s.paused_reason, " + IsoTime("s.paused_since") +
         ", (SELECT string_agg(CASE p.host WHEN '' THEN 'every host' ELSE p.host END, "
         "chr(10) ORDER BY p.host) FROM summa_host.worker_parked p "
         "WHERE p.worker_id = s.worker_id), s.paused, f.fence FROM summa_host.worker_state s FULL "
         "JOIN (SELECT "
         "worker_id::text, "
         "lease_holder, lease_until FROM " +
         QuoteIdentifier(schema) + ".worker_lease WHERE lease_until > clock_timestamp() AND NOT " +
         IdleLease("lease_holder") +
         ") l USING (worker_id) FULL JOIN "
         "(SELECT worker AS worker_id, fence FROM summa_host.worker_fence) f USING (worker_id) "
         "ORDER BY worker_id";
}

}  // namespace

WorkerStore::WorkerStore(const DatabaseSettings& ledger)
    : connection_(std::make_shared<FleetConnection>(ledger)), orders_(connection_) {}

TextRows WorkerStore::Query(const std::string& sql, const TextParameters& parameters) {
  return connection_->Query(sql, parameters, WhenLost::kRepeat);
}

std::vector<Error> WorkerStore::RequireWholeTables(const std::vector<std::string>& tables) {
  const auto ask = [this](const std::string& sql, const TextParameters& parameters) {
    return Query(sql, parameters);
  };
  return host::RequireWholeTables(ask, tables);
}

void WorkerStore::ReleaseLeases(const std::vector<std::string>& worker_ids,
                                const std::string& holder) {
  const LeaseStatements statements(QuoteIdentifier(connection_->schema()));
  Query(statements.release, {TextArrayLiteral(worker_ids), holder, "0"});
}

std::optional<Microseconds> WorkerStore::RecordRun(const RunRecord& record) {
  std::optional<std::string> error, next_due;
  if (!record.ok) error = record.error;
  if (record.next_due_in) next_due = std::to_string(record.next_due_in->count());
  const TextRows rows =
      Query(RecordRunStatement(),
            {record.worker.id, record.worker.plugin, record.worker.kind(), record.host,
             record.ok ? "true" : "false", error, next_due, TimesLiteral(record.times),
             record.schedule, std::to_string(record.fence)});
  if (rows.empty()) throw Fenced(record.worker.id);
  return ReadTime(rows);
}

std::optional<Microseconds> WorkerStore::MoveDue(const RunRecord& record, const DueTime& known) {
  const std::string delay = std::to_string(record.next_due_in.value_or(Microseconds(0)).count());
  return ReadTime(
      Query(MoveDueStatement(), {record.worker.id, record.worker.plugin, record.worker.kind(),
                                 record.host, record.ok ? "true" : "false", known.moment, delay,
                                 TimesLiteral(record.times), record.schedule}));
}

void WorkerStore::RecordState(const WorkerName& worker, const std::string& state,
                              const std::string& host) {
  Query(kRecordState, {worker.id, worker.plugin, worker.kind(), state, host});
}

DueTime WorkerStore::Due(const std::string& worker_id) {
  const TextRows rows = Query(kDue, {worker_id});
  if (rows.empty()) return {};
  return {ReadTime(rows), rows[0].at(1).value_or(""), rows[0].at(2).value_or("")};
}

std::vector<WorkerRow> WorkerStore::Workers() {
  std::vector<WorkerRow> workers;
  for (const auto& row : Query(WorkersQuery(connection_->schema()), {})) {
    WorkerRow& worker = workers.emplace_back();
    std::size_t column = 0;
    for (std::string* each :
         {&worker.id, &worker.kind, &worker.state, &worker.host, &worker.last_run_at,
          &worker.last_success_at, &worker.next_due_at, &worker.last_error, &worker.holder,
          &worker.lease_until, &worker.plugin, &worker.paused_by, &worker.paused_reason,
          &worker.paused_since}) {
      *each = row.at(column++).value_or("");
    }
    worker.parked_on = Lines(row.at(column++).value_or(""));
    worker.paused = row.at(column++) == "t";
    worker.fence = std::stoll(row.at(column).value_or("0"));
  }
  return workers;
}

}  // namespace summa::host
