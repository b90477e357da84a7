// `bus tail STREAM [--count N] [--from ID] [--follow]`: the messages of a stream, one JSON object
// each.
#pragma once

#include <string>
#include <summa/command.hpp>

#include "plugins/bus-redis/stream_reader.hpp"

namespace summa::bus_redis {

// {"deliveryId","id","type","key","position","timestamp","correlationId","payload"}; the payload as
// it is when it is JSON, else as a string.
std::string DescribeDelivery(const summa_bus_delivery& delivery);

// Without --from: the latest messages. Result: {"stream","messages","lastDeliveryId"}. A stream
// that does not exist: SUMMA_E_NOT_FOUND with the names of those that do.
CommandResult TailStream(StreamReader& reader, const CommandCall& call);

}  // namespace summa::bus_redis
