// `bus tail STREAM [--count N] [--from ID] [--follow]`: the messages of a stream, one JSON object
// each.
#pragma once

#include <string>
#include <summa/bus.hpp>
#include <summa/command.hpp>

namespace summa::host {

// {"deliveryId","id","type","key","position","timestamp","correlationId","payload"}, and "note"
// when there is one; the payload as it is when it is JSON, else as a string.
std::string DescribeDelivery(const summa_bus_delivery& delivery);

// Without --from: the latest messages. Result: {"stream","messages","lastDeliveryId"}. A stream
// that does not exist: SUMMA_E_NOT_FOUND with the names of those that do.
summa::CommandResult TailStream(const summa::BusClient& bus, const summa::CommandCall& call);

}  // namespace summa::host
