#include "host/database/connection_settings.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <cctype>

#include "host/database/sql_error.hpp"
#include "host/observe/host_metrics.hpp"

namespace summa::host {
namespace {

// A dead peer is noticed after about 30 s, whatever the kernel's defaults (hours) are.
constexpr const char* kKeepaliveIdleSeconds = "10";
constexpr const char* kKeepaliveIntervalSeconds = "5";
constexpr const char* kKeepaliveCount = "4";
constexpr const char* kTcpUserTimeoutMilliseconds = "30000";

// "FATAL:  28P01: words", as libpq writes with PQERRORS_VERBOSE, also behind the name of a server.
// Takes the state out of the text, and the place in the server's source behind it.
std::string TakeSqlstate(std::string& words) {
  constexpr std::size_t kState = 5;
  constexpr std::string_view kBefore = ":  ", kAfter = ": ";
  words.erase(std::min(words.find("\nLOCATION:"), words.size()));
  for (std::size_t at = words.find(kBefore); at != std::string::npos;
       at = words.find(kBefore, at + 1)) {
    const std::size_t begin = at + kBefore.size();
    if (begin + kState + kAfter.size() > words.size()) break;
    std::string state = words.substr(begin, kState);
    const bool is_state = std::all_of(state.begin(), state.end(), [](unsigned char c) {
      return std::isdigit(c) != 0 || std::isupper(c) != 0;
    });
    if (!is_state || words.substr(begin + kState, kAfter.size()) != kAfter) continue;
    words.erase(begin, kState + kAfter.size());
    return state;
  }
  return {};
}

const char* HintFor(const std::string& sqlstate) {
  const std::string kind = sqlstate.substr(0, 2);
  if (kind == "28") return "Check user and password of the URL, and the server's pg_hba.conf";
  if (kind == "3D") return "Check the database of the URL";
  if (kind == "42") return "GRANT CONNECT ON DATABASE to the role of the URL";
  if (kind == "53") return "Raise max_connections, or the limit of the role or the database";
  if (kind == "57") return "It is starting or stopping; it is tried again";
  return kReachableHint;
}

}  // namespace

std::string QuoteIdentifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string QuoteLiteral(std::string_view text) {
  std::string out = "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

ConnectionParameters MakeConnectionParameters(const DatabaseSettings& settings,
                                              const ConnectionParameters& url,
                                              const DatabaseUrl::Host& host) {
  ConnectionParameters parameters = url;
  if (!host.name.empty()) Set(parameters, "host", host.name);
  if (!host.address.empty()) Set(parameters, "hostaddr", host.address);
  if (!host.port.empty()) Set(parameters, "port", host.port);
  // Chosen by us: over the variables that libpq reads.
  Set(parameters, "target_session_attrs", "any");
  if (PQlibVersion() >= 160000) Set(parameters, "load_balance_hosts", "disable");
  Set(parameters, "client_encoding", "UTF8");
  if (!settings.application_name.empty()) {
    Set(parameters, "application_name", settings.application_name);
  }
  Set(parameters, "keepalives", "1");
  Set(parameters, "keepalives_idle", kKeepaliveIdleSeconds);
  Set(parameters, "keepalives_interval", kKeepaliveIntervalSeconds);
  Set(parameters, "keepalives_count", kKeepaliveCount);
  Set(parameters, "tcp_user_timeout", kTcpUserTimeoutMilliseconds);
  return parameters;
}

std::string WithoutPassword(std::string text, const ConnectionParameters& parameters) {
  const std::string password = Get(parameters, "password");
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (password.empty()) return text;
  for (std::size_t at = text.find(password); at != std::string::npos;
       at = text.find(password, at + 3)) {
    text.replace(at, password.size(), "***");
  }
  return text;
}

SqlFailure ConnectionRefused(const std::string& words, const ConnectionParameters& parameters) {
  std::string text = WithoutPassword(words, parameters);
  const std::string sqlstate = TakeSqlstate(text);
  CountDatabaseError(sqlstate);
  text = OneLine(text.c_str());
  // PostgreSQL speaks the protocol that libpq speaks; poolers refuse startup parameters with it.
  if (sqlstate == "08P01") {
    return PoolerRefused("it refused the parameters of the connection: " + text);
  }
  return SqlFailure(Error{"SH-0401", "no connection to PostgreSQL: " + text, HintFor(sqlstate), ""},
                    sqlstate);
}

}  // namespace summa::host
