#include "host/database/fleet_connection.hpp"

namespace summa::host {
namespace {

constexpr Microseconds kTimeout = std::chrono::seconds(5);
constexpr Microseconds kTimeoutAtStop = std::chrono::seconds(1);

DatabaseSettings OwnSettings(DatabaseSettings settings) {
  settings.statement_timeout = kTimeout;
  settings.application_name += " fleet";
  return settings;
}

}  // namespace

std::string IsoTime(const std::string& column) {
  return "to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
}

FleetConnection::FleetConnection(const DatabaseSettings& ledger)
    : schema_(ledger.schema), connection_(OwnSettings(ledger)) {}

TextRows FleetConnection::Query(const std::string& sql, const TextParameters& parameters,
                                WhenLost when_lost) {
  const Microseconds timeout = shutting_down_ ? kTimeoutAtStop : kTimeout;
  return connection_.Query(sql, parameters, std::chrono::steady_clock::now() + timeout, when_lost);
}

void FleetConnection::BeginShutdown() noexcept {
  shutting_down_ = true;
  connection_.Interrupt();
}

}  // namespace summa::host
