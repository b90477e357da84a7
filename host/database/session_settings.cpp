#include "host/database/session_settings.hpp"

#include <algorithm>

#include "host/database/connection_settings.hpp"

namespace summa::host {
namespace {

using Pins = std::vector<std::pair<std::string, std::string>>;

std::string Milliseconds(Microseconds span) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(span).count();
  return std::to_string(std::max<std::int64_t>(count, 0));
}

// What a user may set and what changes texts, rows or errors. What only changes the speed of a plan
// (enable_*, work_mem, ...) and what is the operator's decision (synchronous_commit, role,
// default_tablespace) is left alone.
const Pins& Constant() {
  static const Pins& pins = *new Pins{
      // How values become texts, and texts values.
      {"DateStyle", "ISO, MDY"},
      {"IntervalStyle", "postgres"},
      {"TimeZone", "UTC"},
      {"timezone_abbreviations", "Default"},
      {"bytea_output", "hex"},
      {"extra_float_digits", "1"},
      {"quote_all_identifiers", "off"},
      {"lc_monetary", "C"},
      {"lc_numeric", "C"},
      {"lc_time", "C"},
      {"xmlbinary", "base64"},
      {"xmloption", "content"},
      {"array_nulls", "on"},
      {"client_encoding", "UTF8"},
      // How statements are read.
      {"standard_conforming_strings", "on"},
      {"backslash_quote", "safe_encoding"},
      {"escape_string_warning", "on"},
      {"transform_null_equals", "off"},
      {"default_text_search_config", "pg_catalog.simple"},
      {"check_function_bodies", "on"},
      {"plpgsql.extra_errors", "none"},
      {"plpgsql.extra_warnings", "none"},
      // Which rows come. A filtered table must be refused, never read as if it were whole.
      {"row_security", "off"},
      {"gin_fuzzy_search_limit", "0"},
      // How transactions run.
      {"default_transaction_isolation", "read committed"},
      {"default_transaction_deferrable", "off"},
      {"exit_on_error", "off"},
      {"client_min_messages", "notice"},
      // A plan that was made for small tables is the wrong one when they have grown, and ledgers
      // grow.
      {"plan_cache_mode", "force_custom_plan"},
  };
  return pins;
}

// Only a superuser may set them, for a role or a database as well. They are looked at, and set only
// when they are wrong: a role that may not do that gets no connection (42501).
constexpr std::pair<const char*, const char*> kGuarded[] = {
    {"session_replication_role", "origin"},  // replica: no triggers, no foreign keys
    {"zero_damaged_pages", "off"},           // on: damaged rows vanish
    {"ignore_checksum_failure", "off"},
};

std::string MakeSettings(const Pins& pins, const std::string& condition) {
  std::string sql =
      "(SELECT pg_catalog.count(pg_catalog.set_config(s.name, s.value, false)) FROM (";
  const char* separator = "VALUES (";
  for (const auto& [name, value] : pins) {
    sql.append(separator).append(QuoteLiteral(name)).append(", ").append(QuoteLiteral(value));
    separator = "), (";
  }
  sql += ")";
  for (const auto& [name, value] : kGuarded) {
    sql.append(" UNION ALL SELECT '").append(name).append("', '").append(value);
    sql.append("' WHERE pg_catalog.current_setting('").append(name).append("') <> '");
    sql.append(value).append("'");
  }
  return sql + ") s(name, value)" + condition + ")";
}

}  // namespace

Pins SessionSettings(const DatabaseSettings& settings, bool read_only, int server_version) {
  Pins pins = Constant();
  // pg_temp last: otherwise a temporary table would hide the ledger's. pg_catalog is not named, so
  // that it comes first: otherwise a function or table in the ledger's schema would hide the
  // server's own.
  pins.emplace_back("search_path", QuoteIdentifier(settings.schema) + ", pg_temp");
  pins.emplace_back("statement_timeout", Milliseconds(settings.statement_timeout));
  pins.emplace_back("lock_timeout", Milliseconds(settings.lock_timeout));
  pins.emplace_back("idle_in_transaction_session_timeout",
                    Milliseconds(settings.idle_in_transaction_timeout));
  pins.emplace_back("default_transaction_read_only", read_only ? "on" : "off");
  // Sessions of the host wait for work, and some work long.
  if (server_version >= 140000) pins.emplace_back("idle_session_timeout", "0");
  if (server_version >= 170000) pins.emplace_back("transaction_timeout", "0");
  if (!settings.application_name.empty()) {
    // Longer names are cut by the server, with a warning.
    pins.emplace_back("application_name", settings.application_name);
  }
  return pins;
}

std::string SettingsExpression(const DatabaseSettings& settings, bool read_only, int server_version,
                               int only_if_pid) {
  const std::string condition =
      only_if_pid == 0 ? "" : " WHERE pg_catalog.pg_backend_pid() = " + std::to_string(only_if_pid);
  return MakeSettings(SessionSettings(settings, read_only, server_version), condition);
}

std::string ShowSettings(const DatabaseSettings& settings, bool read_only, int server_version) {
  std::string sql = "SELECT s.name, pg_catalog.current_setting(s.name) FROM (VALUES ";
  const char* separator = "(";
  for (const auto& [name, value] : SessionSettings(settings, read_only, server_version)) {
    sql.append(separator).append(QuoteLiteral(name));
    separator = "), (";
  }
  return sql + ")) s(name)";
}

std::string SettingsStatement(const Pins& shown) {
  return "SELECT " + MakeSettings(shown,
                                  " WHERE pg_catalog.current_setting(s.name, true) IS DISTINCT "
                                  "FROM s.value");
}

}  // namespace summa::host
