#include "host/database/operations.hpp"

#include <chrono>

#include "host/database/connection_settings.hpp"
#include "host/database/lease_statements.hpp"
#include "summa/work.hpp"

namespace summa::host {
namespace {

constexpr const char* kPause = R"sql(
UPDATE summa_host.operation SET state = 'paused', steered_by = $2, updated_at = clock_timestamp()
WHERE id = $1 AND finished_at IS NULL AND state IN ('queued', 'running') RETURNING 1)sql";

// Also one that waits for its next try. A failed one continues where it stopped.
constexpr const char* kResume = R"sql(
UPDATE summa_host.operation SET
  state = CASE WHEN state = 'aborted' THEN state
               WHEN started_at IS NULL THEN 'queued' ELSE 'running' END,
  finished_at = NULL, failures = 0, error = NULL, retry_at = NULL,
  steered_by = $2, updated_at = clock_timestamp()
WHERE id = $1 AND (state IN ('paused', 'failed') OR (finished_at IS NULL AND error IS NOT NULL))
RETURNING 1)sql";

// An operation that has begun stays open until its remains are removed.
constexpr const char* kAbort = R"sql(
UPDATE summa_host.operation SET
  state = 'aborted', failures = 0, error = NULL, retry_at = NULL,
  finished_at = CASE WHEN started_at IS NULL THEN clock_timestamp() END,
  steered_by = $2, updated_at = clock_timestamp()
WHERE id = $1 AND state NOT IN ('done', 'aborted') RETURNING 1)sql";

constexpr const char* kRate = R"sql(
UPDATE summa_host.operation SET rate = $3, steered_by = $2
WHERE id = $1 AND state NOT IN ('done', 'aborted') RETURNING 1)sql";

// condition: over o, a row of the journal.
std::string Query(const std::string& schema, const std::string& condition) {
  return "SELECT o.id, o.plugin, o.kind, o.worker, o.state, o.finished_at IS NULL, o.phase, "
         "o.cursor, o.done, o.total, o.rate, CASE WHEN o.state = 'running' AND o.updated_at > "
         "clock_timestamp() - interval '1 minute' THEN o.speed END, o.fence, o.batches, o.version, "
         "o.failures, l.lease_holder, o.host, o.arguments, o.requested_by, o.steered_by, "
         "o.error, " +
         IsoTime("o.created_at") + ", " + IsoTime("o.started_at") + ", " + IsoTime("o.updated_at") +
         ", " + IsoTime("o.finished_at") + ", " + IsoTime("o.retry_at") +
         ", coalesce(w.kind = 'periodic', false) FROM summa_host.operation o LEFT JOIN "
         "summa_host.worker_state w ON w.worker_id = o.worker LEFT JOIN " +
         QuoteIdentifier(schema) +
         ".worker_lease l ON l.worker_id = o.worker AND o.finished_at IS NULL AND l.lease_until > "
         "clock_timestamp() AND NOT " +
         IdleLease("l.lease_holder") + " WHERE " + condition + " ORDER BY o.id";
}

std::int64_t Integer(const std::optional<std::string>& text) {
  return text ? std::stoll(*text) : 0;
}

}  // namespace

std::optional<std::int64_t> OperationReport::SecondsLeft() const {
  const auto left = Speed(rows_per_second.value_or(0)).Left(done, total.value_or(0));
  if (!left) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*left).count();
}

std::string OperationsQuery(const std::string& schema) {
  return Query(schema,
               "o.finished_at IS NULL OR o.state = 'failed' OR ($1::boolean AND o.finished_at > "
               "clock_timestamp() - interval '90 days')");
}

std::vector<OperationReport> ReadOperations(const TextRows& rows) {
  std::vector<OperationReport> reports;
  reports.reserve(rows.size());
  for (const auto& row : rows) {
    OperationReport& report = reports.emplace_back();
    std::size_t column = 0;
    const auto next = [&]() -> const std::optional<std::string>& { return row.at(column++); };
    const auto text = [&] { return next().value_or(""); };
    report.id = Integer(next());
    report.plugin = text();
    report.kind = text();
    report.worker = text();
    report.state = text();
    report.open = next() == "t";
    report.phase = text();
    report.cursor = text();
    report.done = Integer(next());
    if (const auto& total = next()) report.total = std::stoll(*total);
    report.rate = Integer(next());
    if (const auto& speed = next()) report.rows_per_second = std::stod(*speed);
    report.fence = Integer(next());
    report.batches = Integer(next());
    report.version = static_cast<int>(Integer(next()));
    report.failures = static_cast<int>(Integer(next()));
    for (std::string* each :
         {&report.holder, &report.host, &report.arguments, &report.requested_by, &report.steered_by,
          &report.error, &report.created_at, &report.started_at, &report.updated_at,
          &report.finished_at, &report.retry_at}) {
      *each = text();
    }
    report.periodic = next() == "t";
  }
  return reports;
}

std::vector<OperationReport> Operations::List(bool all) {
  const std::string query = OperationsQuery(connection_.schema());
  return ReadOperations(connection_.Query(query, {all ? "true" : "false"}));
}

OperationReport Operations::Find(std::int64_t id) {
  const std::string query = Query(connection_.schema(), "o.id = $1");
  std::vector<OperationReport> found =
      ReadOperations(connection_.Query(query, {std::to_string(id)}));
  if (!found.empty()) return std::move(found.front());
  throw Failure("SH-0382", "there is no operation " + std::to_string(id),
                "`summa-host operations list --all` lists the existing ones.");
}

bool Operations::Pause(std::int64_t id, const std::string& by) {
  return Update(kPause, "paused", "paused", id, {by});
}

bool Operations::Resume(std::int64_t id, const std::string& by) {
  try {
    return Update(kResume, "resumed", "running queued", id, {by});
  } catch (const SqlFailure& failure) {
    if (failure.sqlstate() != "23505") throw;
    throw Failure("SH-0383",
                  "operation " + std::to_string(id) +
                      " cannot be resumed: another one of its kind is open, and there may be only "
                      "one at a time",
                  "`summa-host operations list` shows it; let it end, or abort it.");
  }
}

bool Operations::Abort(std::int64_t id, const std::string& by) {
  return Update(kAbort, "aborted", "aborted", id, {by});
}

void Operations::SetRate(std::int64_t id, std::int64_t rate, const std::string& by) {
  Update(kRate, "given a rate", "", id, {by, std::to_string(rate)});
}

// already: the states, in one text, in which there was nothing to do.
bool Operations::Update(const char* statement, const char* what, const char* already,
                        std::int64_t id, const TextParameters& parameters) {
  TextParameters all{std::to_string(id)};
  all.insert(all.end(), parameters.begin(), parameters.end());
  if (!connection_.Query(statement, all).empty()) return true;
  const OperationReport report = Find(id);
  if (std::string(already).find(report.state) != std::string::npos) return false;
  throw Failure(
      "SH-0383",
      "operation " + std::to_string(id) + " is " + report.state + " and cannot be " + what,
      "`summa-host operations show " + std::to_string(id) + "` shows its state.");
}

}  // namespace summa::host
