#include "host/database/connection_settings.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "host/observe/host_metrics.hpp"

#include "host/database/renewed_url.hpp"
#include "host/database/sql_error.hpp"

namespace summa::host {
namespace {

// A dead peer is noticed after about 30 s, whatever the kernel's defaults (hours) are.
constexpr const char* kKeepaliveIdleSeconds = "10";
constexpr const char* kKeepaliveIntervalSeconds = "5";
constexpr const char* kKeepaliveCount = "4";
constexpr const char* kTcpUserTimeoutMilliseconds = "30000";

std::string Milliseconds(Microseconds span) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(span).count();
  return std::to_string(std::max<std::int64_t>(count, 0));
}

// libpq splits `options` at blanks; a backslash keeps one.
std::string OptionValue(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' || c == '\\' || c == '\t' || c == '\n') out += '\\';
    out += c;
  }
  return out;
}

void Set(ConnectionParameters& parameters, const std::string& key, const std::string& value) {
  for (auto& [name, old] : parameters) {
    if (name == key) {
      old = value;
      return;
    }
  }
  parameters.emplace_back(key, value);
}

std::string Get(const ConnectionParameters& parameters, std::string_view key) {
  for (const auto& [name, value] : parameters) {
    if (name == key) return value;
  }
  return {};
}

ConnectionParameters ParseUrl(const std::string& url) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), &message), &PQconninfoFree);
  // libpq quotes parts of the text, and a slip of the pen makes the password one of them.
  if (message != nullptr) PQfreemem(message);
  if (!options) {
    throw SqlFailure(
        Error{"SH-0418", "the database URL is not a connection string that PostgreSQL knows",
              "Write postgresql://USER@HOST:PORT/DATABASE, with special characters of the password "
              "as %XX; the URL is not shown here because it may hold the password",
              ""},
        "");
  }
  ConnectionParameters parameters;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters.emplace_back(option->keyword, option->val);
  }
  return parameters;
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

std::vector<std::pair<std::string, std::string>> SessionSettings(const DatabaseSettings& settings,
                                                                 bool read_only) {
  return {
      {"search_path", QuoteIdentifier(settings.schema) + ", pg_catalog"},
      {"statement_timeout", Milliseconds(settings.statement_timeout)},
      {"lock_timeout", Milliseconds(settings.lock_timeout)},
      {"idle_in_transaction_session_timeout", Milliseconds(settings.idle_in_transaction_timeout)},
      {"default_transaction_read_only", read_only ? "on" : "off"},
      // A plan that was made for small tables is the wrong one when they have grown, and ledgers
      // grow.
      {"plan_cache_mode", "force_custom_plan"},
      // A filtered table must be refused, never read as if it were whole.
      {"row_security", "off"},
      {"TimeZone", "UTC"},
      {"DateStyle", "ISO"},
  };
}

ConnectionParameters MakeConnectionParameters(const DatabaseSettings& settings, bool read_only) {
  ConnectionParameters parameters = ParseUrl(NewestUrl(settings.url));
  std::string options = Get(parameters, "options");
  for (const auto& [name, value] : SessionSettings(settings, read_only)) {
    if (!options.empty()) options += ' ';
    options += "-c ";
    options += name;
    options += '=';
    options += OptionValue(value);
  }
  Set(parameters, "options", options);
  Set(parameters, "client_encoding", "UTF8");
  if (!settings.application_name.empty()) {
    Set(parameters, "application_name", settings.application_name);
  }
  // libpq knows whole seconds and takes 1 for 2.
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(settings.connect_timeout).count();
  Set(parameters, "connect_timeout", std::to_string(std::max<std::int64_t>(seconds, 2)));
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

SqlFailure ConnectionRefused(const std::string& reason, const ConnectionParameters& parameters) {
  CountDatabaseError("");
  const std::string words = WithoutPassword(reason, parameters);
  // What pgbouncer says to an option that it does not know; PostgreSQL never does.
  if (words.find("unsupported startup parameter") != std::string::npos) {
    return PoolerRefused("it refused the settings of the session: " + words);
  }
  return SqlFailure(Error{"SH-0401", "no connection to PostgreSQL: " + words,
                          "Check that the server runs and that host, port, database, user and "
                          "password of the URL are right",
                          ""},
                    "");
}

}  // namespace summa::host
