// Statements that PostgreSQL runs only outside a transaction. No guard can be part of them: the
// lease is looked at before and afterwards.
#include "host/database/pq_session.hpp"

namespace summa::host {
namespace {

// Ends a session that idles for longer than the lease still lasts: a host that stands still between
// the look at the lease and the statement does not send it afterwards.
constexpr const char* kIdleForTheLease =
    ", pg_catalog.set_config('idle_session_timeout', greatest(1, least(2147483647, "
    "pg_catalog.floor("
    "1000 * extract(epoch FROM l.lease_until - pg_catalog.clock_timestamp()))))::bigint::text, "
    "false)";

SqlFailure NotAlone(std::string_view sql) {
  return {
      Error{"SH-0408", "the statement is not allowed outside a transaction: " + StatementStart(sql),
            "only VACUUM and CONCURRENTLY statements (CREATE, DROP and REINDEX INDEX, DETACH "
            "PARTITION) run without a transaction; run everything else between begin and commit",
            ""},
      ""};
}

SqlFailure ToldToStop(std::string_view sql) {
  return {Error{"SH-0409", "told to stop before it was run: " + StatementStart(sql), "", "",
                SUMMA_E_CANCELLED},
          "57014"};
}

}  // namespace

// Makes the session writable and lifts its limits, if the lease is held.
void PqSession::OpenAutocommit(StatementKind kind, std::string_view sql, const LeaseGuard* guard) {
  std::string text =
      "SELECT pg_catalog.set_config('default_transaction_read_only', 'off', false), "
      "pg_catalog.set_config('statement_timeout', '0', false)";
  // VACUUM takes its one lock at the beginning, and VACUUM FULL would queue the ledger behind it.
  if (kind == StatementKind::kConcurrently) {
    text += ", pg_catalog.set_config('lock_timeout', '0', false)";
  }
  if (guard != nullptr && PQserverVersion(connection_.raw()) >= 140000) text += kIdleForTheLease;
  if (guard != nullptr) text += GuardRows(*guard);
  const PgResult held = connection_.Finish(PQsendQuery(connection_.raw(), text.c_str()), sql);
  if (PQntuples(held.get()) == 0) {
    throw FencedFailure(Error{"SH-0301", "the lease was gone; not run: " + StatementStart(sql),
                              "Another host continues the work; check clocks, pauses and lease_ttl "
                              "when this happens often",
                              ""},
                        "");
  }
  if (connection_.cancel_sent()) throw ToldToStop(sql);
}

// The settings of the session again. Whether the lease is held still.
bool PqSession::EndAutocommit(std::string_view sql, const LeaseGuard* guard) {
  std::string text = SettingsText() + "; SELECT ";
  text += guard == nullptr ? "1" : "(SELECT pg_catalog.count(*)" + GuardRows(*guard) + ")";
  try {
    const PgResult held = connection_.Query(text, AnswerDeadline());
    RequireFence(sql);
    return std::string_view(PQgetvalue(held.get(), 0, 0)) == "1";
  } catch (...) {
    connection_.Abandon();  // it may be writable
    throw;
  }
}

void PqSession::ExecAutocommit(std::string_view sql, const LeaseGuard* guard) {
  connection_.RequireUsable(sql);
  const std::string text(sql);
  const StatementKind kind = KindOf(sql);
  const bool known = kind == StatementKind::kVacuum || kind == StatementKind::kConcurrently;
  if (!known || text.find('\0') != std::string::npos) throw NotAlone(sql);
  if (in_transaction()) {
    throw SqlFailure(Error{"SH-0407", "a transaction is open: " + StatementStart(sql),
                           "Commit or roll back first", ""},
                     "");
  }
  if (wake_.signalled()) throw ToldToStop(sql);
  try {
    // One start for both: a signal that comes between them is not lost.
    connection_.Start(std::nullopt);
    OpenAutocommit(kind, sql, guard);
    connection_.Finish(PQsendQueryParams(connection_.raw(), text.c_str(), 0, nullptr, nullptr,
                                         nullptr, nullptr, 0),
                       sql);
  } catch (...) {
    try {
      if (!connection_.broken()) EndAutocommit(sql, nullptr);
    } catch (...) {  // abandoned; the first failure is the one to tell
    }
    throw;
  }
  if (EndAutocommit(sql, guard)) return;
  throw FencedFailure(
      Error{"SH-0433",
            "the lease was lost during a statement that cannot be rolled back: " +
                StatementStart(sql),
            "It has taken effect. The next run finds out from the catalog how far the work is", ""},
      "");
}

}  // namespace summa::host
