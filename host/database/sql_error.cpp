#include "host/database/sql_error.hpp"

#include <cctype>
#include <utility>

#include "host/database/whole_tables.hpp"
#include "host/observe/host_metrics.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kStatementCharacters = 80;  // enough to recognise it, too little for data

constexpr std::string_view kNotMigrated = "SH-0412";

struct Class {
  std::string_view code;
  const char* hint;
  std::int32_t kind = SUMMA_OK;  // when it is not that of the code
};

// A function or a column that is missing in a statement of the host is one of an older schema.
bool NamesOurs(const ServerReport& report) {
  constexpr std::string_view kOurs = "summa_host";
  std::string_view name = report.name;
  if (name.starts_with("\"")) name.remove_prefix(1);
  if (name.starts_with(kOurs)) return true;
  return report.own && (report.sqlstate == "42883" || report.sqlstate == "42703");
}

Class Classify(const ServerReport& report, bool cancelled) {
  const std::string_view state = report.sqlstate;
  if (state == "57014" && cancelled) {
    return {"SH-0409", "The work was told to stop; a later run does it", SUMMA_E_CANCELLED};
  }
  if (state == "57014" || state == "55P03") {
    return {"SH-0410", "Check in pg_stat_activity what holds the lock or makes the statement slow"};
  }
  if (state == "25P03" || state == "25P04") {  // it idled, or lasted, too long
    return {"SH-0410",
            "Check the load of the host's machine, and at idle_in_transaction_session_timeout and "
            "transaction_timeout of the server; it is tried again"};
  }
  if (state.starts_with("40")) return {"SH-0411", "It is tried again; nothing was changed"};
  if (state == "42501" && report.function == "check_enable_rls") {
    return {kFilteredTable,
            "Give the role BYPASSRLS, or run as the owner of the tables without FORCE ROW LEVEL "
            "SECURITY; `summa-host doctor` names tables and policies"};
  }
  if (state == "42501") {
    return {"SH-0406",
            "GRANT the privilege to the role of the connection URL; `summa-host doctor` prints the "
            "statement"};
  }
  if (state == "42P01" || state == "3F000" || state == "42883" || state == "42703") {
    if (NamesOurs(report)) return {"SH-0412", "Run: summa-host migrate"};
    if (report.own) return {"SH-0414", "Check database.ledger.url and database.ledger.schema"};
  }
  if (state == "25006") {
    return {"SH-0405", "Write only between begin and commit of a read-write transaction"};
  }
  if (state.starts_with("08") || state.starts_with("58") || state.starts_with("53") ||
      state.starts_with("57P")) {
    return {"SH-0416", "Check the server's log, disk, memory and max_connections"};
  }
  return {"SH-0405", ""};
}

}  // namespace

std::string OneLine(const char* text) {
  constexpr std::string_view kPrefix = "ERROR:  ";
  std::string_view rest = text == nullptr ? "" : text;
  if (rest.starts_with(kPrefix)) rest.remove_prefix(kPrefix.size());
  std::string out;
  for (const char c : rest) {
    const bool blank = c == '\n' || c == '\t' || c == ' ';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string NameAt(std::string_view sql, std::string_view position) {
  std::size_t left = 0;
  for (const char c : position) {
    if (c < '0' || c > '9' || left > sql.size()) return {};
    left = left * 10 + static_cast<std::size_t>(c - '0');
  }
  std::size_t at = 0;  // characters of UTF-8, not bytes
  for (; at < sql.size() && left > 0; ++at) {
    if ((static_cast<unsigned char>(sql[at]) & 0xC0) != 0x80 && --left == 0) break;
  }
  const auto in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '"';
  };
  std::string name;
  for (; at < sql.size() && in_name(sql[at]); ++at) name += sql[at];
  return name;
}

std::string StatementStart(std::string_view sql) {
  std::string text;
  bool blank = false;
  for (const char c : sql) {
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      blank = !text.empty();
      continue;
    }
    if (blank) text += ' ';
    blank = false;
    text += c;
    if (text.size() < kStatementCharacters) continue;
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80) != 0) text.pop_back();
    return text + "...";
  }
  return text;
}

SqlFailure MakeSqlFailure(const ServerReport& report, std::string_view sql, bool cancelled) {
  CountDatabaseError(report.sqlstate);
  const Class kind = Classify(report, cancelled);
  std::string message = "PostgreSQL: " + report.message;
  if (kind.code == kFilteredTable) message = "row level security hides rows; " + message;
  if (kind.code == kNotMigrated) message = "the database is not migrated; " + message;
  if (!report.detail.empty()) message += " (" + report.detail + ")";
  if (!report.sqlstate.empty()) message += " [SQLSTATE " + report.sqlstate + "]";
  if (!sql.empty()) message += " in: " + StatementStart(sql);
  return SqlFailure(Error{std::string(kind.code), message, kind.hint, "", kind.kind},
                    report.sqlstate);
}

SqlFailure ConnectionLost(const std::string& reason, std::string_view sql, std::string sqlstate) {
  CountDatabaseError("");
  std::string message = "the connection to PostgreSQL was lost: " + reason;
  if (!sqlstate.empty()) message += " [SQLSTATE " + sqlstate + "]";
  if (!sql.empty()) message += " in: " + StatementStart(sql);
  return SqlFailure(
      Error{"SH-0402", message,
            "Nothing of the open transaction was committed. Check that the server is up; the next "
            "use opens a new connection",
            ""},
      std::move(sqlstate));
}

SqlFailure ServerIsStandby(std::string_view sql) {
  CountDatabaseError("");
  std::string message = "this server is a standby and accepts no writes";
  if (!sql.empty()) message += "; refused: " + StatementStart(sql);
  return SqlFailure(Error{"SH-0423", message,
                          "Wait until a standby is promoted, start the primary, or name it in the "
                          "database URL (it may list several hosts)",
                          ""},
                    "");
}

SqlFailure ServerIsOldPrimary(std::uint32_t timeline, std::uint32_t later) {
  CountDatabaseError("");
  return SqlFailure(
      Error{"SH-0424",
            "this server is an old primary, on timeline " + std::to_string(timeline) +
                ": a standby was promoted in its place, to timeline " + std::to_string(later),
            "Start the server that was promoted last, or name it in the database "
            "URL; end the old primary, or make it a standby of the new one",
            ""},
      "");
}

SqlFailure PoolerRefused(const std::string& found) {
  return SqlFailure(
      Error{"SH-0420",
            "the database URL leads to a connection pooler that cannot be used: " + found,
            "Give the URL of the PostgreSQL server itself; or let the pooler keep one server "
            "connection per client (pgbouncer: pool_mode = session)",
            ""},
      "");
}

}  // namespace summa::host
