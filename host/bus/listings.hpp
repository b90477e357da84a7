// `bus streams`, `bus groups`, `bus trim`: results as JSON. What could not be looked after stands
// in "leftOut" when no stream is named; it is a finding when the login was refused.
#pragma once

#include <summa/bus.hpp>
#include <summa/command.hpp>

namespace summa::host {

summa::CommandResult ListStreams(const summa::BusClient& bus, const summa::CommandCall& call);
summa::CommandResult ListGroups(const summa::BusClient& bus, const summa::CommandCall& call);
summa::CommandResult TrimStreams(const summa::BusClient& bus, const summa::CommandCall& call);

}  // namespace summa::host
