// Which rights the user has, for `summa-host doctor`: what its ACLs say, and what requests that
// change nothing show.
#pragma once

#include <functional>
#include <string>
#include <summa/health.hpp>

#include "plugins/bus-kafka/kafka_bus.hpp"

namespace summa::bus_kafka {

// principal: as ACLs name the user, such as User:summa; empty: unknown.
void ExamineRights(KafkaBus& bus, const std::string& principal,
                   const std::function<void(const Finding&)>& report);

}  // namespace summa::bus_kafka
