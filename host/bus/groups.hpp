// `bus group create|delete|reset`: results as JSON.
#pragma once

#include <summa/bus.hpp>
#include <summa/command.hpp>

namespace summa::host {

summa::CommandResult CreateGroup(const summa::BusClient& bus, const summa::CommandCall& call);
// SUMMA_E_USAGE SH-0611 when the group has not handled everything; not with --force.
summa::CommandResult DeleteGroup(const summa::BusClient& bus, const summa::CommandCall& call);
summa::CommandResult ResetGroup(const summa::BusClient& bus, const summa::CommandCall& call);

}  // namespace summa::host
