#include "host/database/sql_error.hpp"

#include "host/observe/host_metrics.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kStatementCharacters = 80;  // enough to recognise it, too little for data

struct Class {
  const char* code;
  const char* hint;
};

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

Class Classify(const ServerReport& report, bool cancelled) {
  const std::string_view state = report.sqlstate;
  if (state == "57014" && cancelled) {
    return {"SH-0409", "The work was told to stop; it is done by a later run"};
  }
  if (state == "57014" || state == "55P03") {
    return {"SH-0410",
            "Look in pg_stat_activity for what holds the lock or makes the statement slow"};
  }
  if (StartsWith(state, "40")) return {"SH-0411", "It is tried again; nothing was changed"};
  if (state == "42501") {
    return {"SH-0406", "GRANT the privilege to the role of the connection URL"};
  }
  if (state == "42P01" || state == "3F000" || state == "42883") {
    if (report.message.find("summa_host") != std::string::npos) {
      return {"SH-0412", "Run: summa-host migrate"};
    }
  }
  if (state == "25006") {
    return {"SH-0405", "Write only between begin and commit of a read-write transaction"};
  }
  if (StartsWith(state, "08") || StartsWith(state, "53") || StartsWith(state, "57P")) {
    return {"SH-0416", "Look at the server's log, disk, memory and max_connections"};
  }
  return {"SH-0405", ""};
}

}  // namespace

std::string OneLine(const char* text) {
  constexpr std::string_view kPrefix = "ERROR:  ";
  std::string_view rest = text == nullptr ? "" : text;
  if (StartsWith(rest, kPrefix)) rest.remove_prefix(kPrefix.size());
  std::string out;
  for (const char c : rest) {
    const bool blank = c == '\n' || c == '\t' || c == ' ';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
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
  if (!report.detail.empty()) message += " (" + report.detail + ")";
  if (!report.sqlstate.empty()) message += " [SQLSTATE " + report.sqlstate + "]";
  if (!sql.empty()) message += " in: " + StatementStart(sql);
  return SqlFailure(Error{kind.code, message, kind.hint, ""}, report.sqlstate);
}

SqlFailure ConnectionLost(const std::string& reason, std::string_view sql) {
  CountDatabaseError("");
  std::string message = "the connection to PostgreSQL was lost: " + reason;
  if (!sql.empty()) message += " in: " + StatementStart(sql);
  return SqlFailure(
      Error{"SH-0402", message,
            "Nothing of the open transaction was committed. Check that the server is up; the next "
            "use opens a new connection",
            ""},
      "");
}

SqlFailure PoolerRefused(const std::string& found) {
  return SqlFailure(
      Error{"SH-0420",
            "the database URL leads to a connection pooler that cannot be used: " + found,
            "Give the URL of the PostgreSQL server itself; or let the pooler keep one server "
            "connection per client (pgbouncer: pool_mode = session and ignore_startup_parameters "
            "= options for this database)",
            ""},
      "");
}

}  // namespace summa::host
