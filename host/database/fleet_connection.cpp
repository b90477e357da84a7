#include "host/database/fleet_connection.hpp"

namespace summa::host {
namespace {

constexpr Microseconds kPatience = std::chrono::seconds(5);
constexpr Microseconds kPatienceAtStop = std::chrono::seconds(1);

DatabaseSettings OwnSettings(DatabaseSettings settings) {
  settings.statement_timeout = kPatience;
  settings.application_name += " fleet";
  return settings;
}

}  // namespace

FleetConnection::FleetConnection(const DatabaseSettings& ledger)
    : schema_(ledger.schema), connection_(OwnSettings(ledger)) {}

TextRows FleetConnection::Ask(const std::string& sql, const TextParameters& parameters,
                              WhenLost when_lost) {
  const Microseconds patience = hurried_ ? kPatienceAtStop : kPatience;
  return connection_.Ask(sql, parameters, std::chrono::steady_clock::now() + patience, when_lost);
}

void FleetConnection::Hurry() noexcept {
  hurried_ = true;
  connection_.Interrupt();
}

}  // namespace summa::host
