// How failures of PostgreSQL become SqlFailure: one code per class of SQLSTATE, the server's words,
// the beginning of the statement. Never parameters, never a connection string. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/database/session.hpp"

namespace summa::host {

// What the server reported. `sqlstate` is empty when the connection itself failed.
struct ServerReport {
  std::string sqlstate;
  std::string message;
  std::string detail;
  // The name in the statement that the report is about, as the server points to it: "summa_host.x".
  std::string name = {};
  // The function of the server that reported it: tells kinds of one SQLSTATE apart.
  std::string function = {};
  // The statement is the host's own, not a plugin's: what it names is there after a migration.
  bool own = false;
};

// cancelled: the statement was ended because Session::Cancel() asked for it.
SqlFailure MakeSqlFailure(const ServerReport& report, std::string_view sql, bool cancelled = false);

// SH-0402: the connection is gone, and with it the open transaction. sqlstate: of the server's last
// words, when there were any.
SqlFailure ConnectionLost(const std::string& reason, std::string_view sql,
                          std::string sqlstate = {});

// SH-0423: the server that was reached, or that a session had, is a standby.
SqlFailure ServerIsStandby(std::string_view sql);

// SH-0424: it was reached though a server of a later timeline is known.
SqlFailure ServerIsOldPrimary(std::uint32_t timeline, std::uint32_t later);

// What to do when nobody answers.
inline constexpr const char* kReachableHint =
    "Check that the server runs and that host and port of the URL are right";

// SH-0420: a connection pooler stands between us and the server, and `found` is why that cannot
// work.
SqlFailure PoolerRefused(const std::string& found);

// A text of the server or of libpq in one line, without the word ERROR in front; null is empty.
std::string OneLine(const char* text);

// The name, with its schema, at a place of a statement as the server reports it (characters from
// 1); empty when there is none.
std::string NameAt(std::string_view sql, std::string_view position);

// "SELECT id FROM outb...": the first 80 characters in one line, for messages.
std::string StatementStart(std::string_view sql);

}  // namespace summa::host
