#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "host/database/connection_settings.hpp"
#include "host/doctor/checks.hpp"

namespace summa::host {
namespace {

// What is tested; 13 has everything that the statements need.
constexpr int kTestedVersion = 150000;
constexpr int kLowestVersion = 130000;
// Beside the pools: leases, renewals, state, orders, probes.
constexpr int kOwnConnections = 5;
constexpr double kSkewSeconds = 1;  // NTP keeps machines within a few ms

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f s", seconds);
  return text;
}

std::string Setting(const CheckContext& context, const std::string& name) {
  return context.database.Value("SELECT current_setting($1, true)", {name});
}

}  // namespace

void CheckServerVersion(const CheckContext& context) {
  const std::string version = Setting(context, "server_version");
  const int number = std::stoi(Setting(context, "server_version_num"));
  const std::string expected = "15 or newer";
  if (number < kLowestVersion) {
    context.Error("server-version", version, expected, "Upgrade PostgreSQL.");
  } else if (number < kTestedVersion) {
    context.Warn("server-version", version, expected,
                 "It should work, but is not tested; upgrade PostgreSQL when you can.");
  } else {
    context.Ok("server-version", version);
  }
}

void CheckDurability(const CheckContext& context) {
  for (const char* name : {"fsync", "full_page_writes"}) {
    if (const std::string value = Setting(context, name); value != "on") {
      context.Error(name, value, "on: otherwise a crash of the machine can destroy the ledger",
                    std::string("ALTER SYSTEM SET ") + name + " = on; SELECT pg_reload_conf();");
    } else {
      context.Ok(name, value);
    }
  }
  const std::string commit = Setting(context, "synchronous_commit");
  if (commit == "off") {
    context.Error("synchronous_commit", commit,
                  "on: otherwise a crash loses commits that were already confirmed, even those "
                  "whose events were delivered",
                  "Turn it on for the role and the database (ALTER ROLE ... SET synchronous_commit "
                  "= on), or with ALTER SYSTEM.");
  } else {
    context.Ok("synchronous_commit", commit);
  }
}

// They are made when a session begins; something between the host and the server may reset them.
void CheckSessionSettings(const CheckContext& context) {
  const DatabaseSettings& ours = context.database.settings();
  const std::vector<std::pair<const char*, Microseconds>> expected = {
      {"statement_timeout", ours.statement_timeout},
      {"lock_timeout", ours.lock_timeout},
      {"idle_in_transaction_session_timeout", ours.idle_in_transaction_timeout}};
  bool well = true;
  for (const auto& [name, time] : expected) {
    const std::string milliseconds = context.database.Value(
        "SELECT setting FROM pg_settings WHERE name = $1", {std::string(name)});
    const auto want = std::to_string(std::chrono::ceil<std::chrono::milliseconds>(time).count());
    if (milliseconds == want) continue;
    well = false;
    context.Error(
        "session-settings", std::string(name) + " is " + milliseconds + " ms",
        want + " ms, which the host sets when it connects",
        "Connect to PostgreSQL directly: a pooler in between resets the settings of the session.");
  }
  if (well) context.Ok("session-settings", "as set by the host");
}

void CheckConnections(const CheckContext& context) {
  const Settings& settings = context.loaded.settings;
  // Each process of a plugin has a pool and leases of its own.
  const auto& plugins = context.loaded.configuration.plugins;
  const auto processes = 1 + std::count_if(plugins.begin(), plugins.end(), [](const auto& plugin) {
                           return plugin.enabled && plugin.isolated;
                         });
  const int needed = (settings.ledger.pool + kOwnConnections) * static_cast<int>(processes);
  const ControlRows rows = context.database.Query(
      "SELECT current_setting('max_connections')::int - "
      "current_setting('superuser_reserved_connections')::int, "
      "(SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL "
      "AND pid <> pg_backend_pid() AND NOT coalesce(application_name = $1 OR "
      "starts_with(application_name, $1 || '/'), false)), "
      "(SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), "
      "(SELECT datconnlimit FROM pg_database WHERE datname = current_database())",
      {settings.ledger.application_name});
  const auto& row = rows.at(0);
  const int usable = std::stoi(row.at(0).value_or("0"));
  const int others = std::stoi(row.at(1).value_or("0"));
  const std::string found = "this host may open " + std::to_string(needed) + "; " +
                            std::to_string(others) + " of " + std::to_string(usable) +
                            " are used by others";
  const std::string fix =
      "Raise max_connections (or the limit of the role or database), or lower "
      "database.ledger.pool.";
  if (needed > usable) {
    context.Error("connections", found, "at least " + std::to_string(needed), fix);
  } else if (needed + others > usable) {
    context.Warn("connections", found, std::to_string(needed) + " free", fix);
  } else {
    context.Ok("connections", found);
  }
  for (const auto& [what, limit] :
       {std::pair("role", row.at(2)), std::pair("database", row.at(3))}) {
    const int most = std::stoi(limit.value_or("-1"));
    if (most < 0 || most >= needed) continue;
    context.Error("connections",
                  std::string("the ") + what + " may have " + std::to_string(most) + " connections",
                  std::to_string(needed) + " for each host", fix);
  }
}

void CheckClock(const CheckContext& context) {
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const double before = now();
  const double server = std::stod(
      context.database.Value("SELECT extract(epoch FROM clock_timestamp())::float8::text"));
  const double after = now();
  // The time of the round trip cannot be distinguished from clock skew.
  const double skew = server < before ? before - server : (server > after ? server - after : 0);
  const std::string found = "the clocks of host and database differ by " + Seconds(skew);
  if (skew > kSkewSeconds) {
    context.Warn("clock", found, "under " + Seconds(kSkewSeconds),
                 "Synchronise the clocks of both machines (NTP). Leases and due times do not "
                 "depend on them, only the times in logs and status.");
  } else {
    context.Ok("clock", found);
  }
}

// Connecting fails behind any other.
void CheckPooler(const CheckContext& context) {
  context.Ok("pooler", "none that pools transactions");
}

}  // namespace summa::host
