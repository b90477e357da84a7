#include "host/operation/journal.hpp"

#include <array>
#include <summa/crash_point.hpp>
#include <vector>

namespace summa::host {
namespace {

// The next one deletes what ended long ago. The update of an open one may change nothing; without
// it RETURNING would not show the row.
constexpr const char* kStart = R"sql(
WITH gone AS (
  DELETE FROM summa_host.operation WHERE finished_at < clock_timestamp() - interval '90 days')
INSERT INTO summa_host.operation AS o
  (plugin, kind, version, worker, single, arguments, total, rate, requested_by)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, nullif($7::bigint, -1), greatest($8::bigint, 0), $9)
ON CONFLICT (plugin, kind) WHERE single AND finished_at IS NULL AND state <> 'aborted'
DO UPDATE SET rate = CASE WHEN $10 THEN excluded.rate ELSE o.rate END
RETURNING id)sql";

// The remains of an aborted one may affect the others: they wait until these are removed.
constexpr const char* kReady = R"sql(
SELECT id, version FROM summa_host.operation
WHERE plugin = $1 AND kind = $2 AND finished_at IS NULL
  AND coalesce(retry_at <= clock_timestamp(), true)
  AND (state = 'aborted' OR (
    state IN ('queued', 'running') AND $3::bigint IN (0, id) AND NOT EXISTS (
      SELECT FROM summa_host.operation
      WHERE plugin = $1 AND kind = $2 AND finished_at IS NULL AND state = 'aborted')))
ORDER BY version > $4, id LIMIT 1)sql";

#define SUMMA_JOURNAL_COLUMNS                                                \
  "id, state, finished_at IS NULL AS open, phase, cursor, arguments::text, " \
  "coalesce(error, '') AS error, done, coalesce(total, -1) AS total, rate, batches, speed"

// The number of the lease is what the guard of the commit demands.
#define SUMMA_JOURNAL_FENCE \
  "coalesce((SELECT f.fence FROM summa_host.worker_fence f WHERE f.worker = o.worker), 0)"

constexpr const char* kClaim =
    "UPDATE summa_host.operation AS o SET state = CASE state WHEN 'queued' THEN 'running' ELSE "
    "state END, worker = $2, host = $3, started_at = coalesce(started_at, clock_timestamp()), "
    "fence = coalesce((SELECT f.fence FROM summa_host.worker_fence f WHERE f.worker = $2), 0) "
    "WHERE id = $1 AND finished_at IS NULL AND state IN ('queued', 'running', 'aborted') "
    "RETURNING " SUMMA_JOURNAL_COLUMNS;

constexpr const char* kRead =
    "SELECT " SUMMA_JOURNAL_COLUMNS
    " FROM summa_host.operation WHERE id = $1 AND plugin = $2 AND kind = $3";

// The number of batches is what makes a batch count once, whoever else tries: with another number
// nothing is changed. A pause lets the batch that is under way be committed; an abort does not.
constexpr const char* kAdvance =
    "UPDATE summa_host.operation AS o SET phase = $3, cursor = $4, done = done + $5, total = "
    "coalesce(nullif($6::bigint, -1), total), speed = $7, batches = batches + 1, failures = 0, "
    "error = NULL, retry_at = NULL, updated_at = clock_timestamp(), fence = " SUMMA_JOURNAL_FENCE
    ", state = CASE WHEN $8 AND state <> 'aborted' THEN 'done' ELSE state END, finished_at = CASE "
    "WHEN $8 THEN clock_timestamp() END WHERE id = $1 AND batches = $2 AND finished_at IS NULL AND "
    "(state = 'aborted') = $9 AND state <> 'queued' RETURNING " SUMMA_JOURNAL_COLUMNS;

// $4: this number of failures is one too many; 0: no number is, and the caller of the step waits.
// The removal of the remains of an aborted operation is tried without end.
constexpr const char* kFail = R"sql(
UPDATE summa_host.operation AS o SET
  failures = failures + 1, error = $3, updated_at = clock_timestamp(),
  retry_at = CASE WHEN $4 > 0 THEN clock_timestamp()
                  + least(power(2, least(failures, 10)), 300) * interval '1 second' END,
  finished_at = CASE WHEN state <> 'aborted' AND failures + 1 >= $4 AND $4 > 0
                     THEN clock_timestamp() END,
  state = CASE WHEN state <> 'aborted' AND failures + 1 >= $4 AND $4 > 0
               THEN 'failed' ELSE state END
WHERE id = $1 AND batches = $2 AND finished_at IS NULL AND state <> 'queued'
RETURNING state = 'failed')sql";

int StateOf(std::string_view word) {
  constexpr std::array<std::string_view, 6> kWords = {"queued", "running", "paused",
                                                      "done",   "failed",  "aborted"};
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i] == word) return static_cast<int>(i);
  }
  return SUMMA_OPERATION_QUEUED;
}

JournalRow ReadRow(const Row& from) {
  JournalRow row;
  row.id = from.Get<std::int64_t>("id");
  row.state = StateOf(from.Get<std::string_view>("state"));
  row.open = from.Get<bool>("open");
  row.phase = from.Get<std::string>("phase");
  row.cursor = from.Get<std::string>("cursor");
  row.arguments = from.Get<std::string>("arguments");
  row.error = from.Get<std::string>("error");
  row.done = from.Get<std::int64_t>("done");
  row.total = from.Get<std::int64_t>("total");
  row.rate = from.Get<std::int64_t>("rate");
  row.batches = from.Get<std::int64_t>("batches");
  row.speed = from.Get<double>("speed");
  return row;
}

}  // namespace

Result Journal::Exec(summa_sql_session* session, std::string_view statement,
                     std::initializer_list<Parameter> parameters) const {
  std::vector<summa_sql_parameter> abi;
  abi.reserve(parameters.size());
  for (const Parameter& parameter : parameters) abi.push_back(parameter.Abi());
  summa_sql_result* result = nullptr;
  summa_error error = summa::detail::EmptyError();
  summa::detail::Check(
      sql_->exec(session, ToAbi(statement), abi.data(), abi.size(), /*binary*/ 1, &result, &error),
      error);
  return {sql_, result};
}

std::int64_t Journal::Start(const std::string& arguments, std::int64_t total, std::int64_t rate,
                            std::uint32_t flags, const std::string& requested_by) {
  summa::Session session(sql_);
  session.Begin();
  const Result row =
      session.Exec(kStart, {plugin_, kind_.kind, std::int32_t{kind_.version}, kind_.worker,
                            (flags & SUMMA_OPERATION_SINGLE) != 0,
                            arguments.empty() ? std::string("{}") : arguments, total, rate,
                            requested_by, (flags & SUMMA_OPERATION_SET_RATE) != 0});
  const auto id = row.Value<std::int64_t>();
  CrashPoint("operation.start");
  session.Commit();
  CrashPoint("operation.started");
  return id;
}

std::optional<std::int64_t> Journal::FindReady(summa::Session& session, std::int64_t id) {
  const Result ready = session.Exec(kReady, {plugin_, kind_.kind, id, std::int32_t{kind_.version}});
  if (ready.rows() == 0) return std::nullopt;
  const auto found = ready[0].Get<std::int64_t>("id");
  if (const auto version = ready[0].Get<std::int32_t>("version"); version > kind_.version) {
    throw summa::Error(SUMMA_E_CONFIG, "SH-0385",
                       "operation " + std::to_string(found) + " is of version " +
                           std::to_string(version) + " of kind " + kind_.kind + "; plugin " +
                           plugin_ + " of this host knows version " + std::to_string(kind_.version),
                       "Install the newer plugin here, or leave it to the hosts that have it.");
  }
  return found;
}

std::optional<JournalRow> Journal::Claim(std::int64_t id) {
  summa::Session session(sql_);
  const std::optional<std::int64_t> ready = FindReady(session, id);
  if (!ready) return std::nullopt;
  session.Begin();
  const Result row = session.Exec(kClaim, {*ready, kind_.worker, host_});
  if (row.rows() == 0) return std::nullopt;  // paused at this moment
  CrashPoint("operation.claim");
  session.Commit();
  CrashPoint("operation.claimed");
  return ReadRow(row[0]);
}

std::optional<JournalRow> Journal::Read(std::int64_t id) {
  summa::Session session(sql_);
  const Result row = session.Exec(kRead, {id, plugin_, kind_.kind});
  if (row.rows() == 0) return std::nullopt;
  return ReadRow(row[0]);
}

bool Journal::Advance(summa_sql_session* session, JournalRow& row, const JournalEntry& entry) {
  CrashPoint("operation.worked");
  const bool undo = row.state == SUMMA_OPERATION_ABORTED;
  const Result changed = Exec(session, kAdvance,
                              {row.id, row.batches, entry.phase, entry.cursor, entry.rows,
                               entry.total, std::to_string(entry.speed), entry.finished, undo});
  summa_error error = summa::detail::EmptyError();
  if (changed.rows() == 0) {
    summa::detail::Check(sql_->rollback(session, &error), error);
    return false;
  }
  CrashPoint("operation.commit");
  summa::detail::Check(sql_->commit(session, &error), error);
  row = ReadRow(changed[0]);
  if (entry.finished) CrashPoint("operation.finished");
  CrashPoint("operation.committed");
  return true;
}

bool Journal::Fail(const JournalRow& row, const std::string& error, int retries) {
  summa::Session session(sql_);
  session.Begin();
  const Result changed = session.Exec(kFail, {row.id, row.batches, error, std::int32_t{retries}});
  CrashPoint("operation.fail");
  session.Commit();
  CrashPoint("operation.failed");
  return changed.rows() > 0 && changed.Value<bool>();
}

}  // namespace summa::host
