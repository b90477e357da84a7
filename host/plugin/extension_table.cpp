#include "host/plugin/extension_table.hpp"

#include <summa/abi/activity.h>
#include <summa/abi/bus.h>
#include <summa/abi/command.h>
#include <summa/abi/reload.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace summa::host {
namespace {

struct Function {
  std::string_view extension;
  const char* name;
  std::size_t offset;
};

// Those that are called without being looked at. What a table may leave out is not here.
constexpr Function kFunctions[] = {
    {SUMMA_ACTIVITY_V1, "activate", offsetof(summa_activity_v1, activate)},
    {SUMMA_ACTIVITY_V1, "deactivate", offsetof(summa_activity_v1, deactivate)},
    {SUMMA_RELOAD_V1, "reload", offsetof(summa_reload_v1, reload)},
    {SUMMA_COMMAND_V1, "run", offsetof(summa_command_v1, run)},
    {SUMMA_STATUS_V1, "status", offsetof(summa_status_v1, status)},
    {SUMMA_BUS_V1, "publish", offsetof(summa_bus_v1, publish)},
    {SUMMA_BUS_V1, "subscribe", offsetof(summa_bus_v1, subscribe)},
    {SUMMA_BUS_V1, "poll", offsetof(summa_bus_v1, poll)},
    {SUMMA_BUS_V1, "ack", offsetof(summa_bus_v1, ack)},
    {SUMMA_BUS_V1, "unsubscribe", offsetof(summa_bus_v1, unsubscribe)},
    {SUMMA_BUS_V1, "ping", offsetof(summa_bus_v1, ping)},
    {SUMMA_BUS_V1, "read", offsetof(summa_bus_v1, read)},
    {SUMMA_BUS_V1, "scan", offsetof(summa_bus_v1, scan)},
    {SUMMA_BUS_V1, "horizon", offsetof(summa_bus_v1, horizon)},
    {SUMMA_BUS_V1, "dead_letters", offsetof(summa_bus_v1, dead_letters)},
    {SUMMA_BUS_V1, "redrive", offsetof(summa_bus_v1, redrive)},
    {SUMMA_BUS_V1, "discard", offsetof(summa_bus_v1, discard)},
    {SUMMA_BUS_V1, "renew", offsetof(summa_bus_v1, renew)},
    {SUMMA_BUS_V1, "nack", offsetof(summa_bus_v1, nack)},
    {SUMMA_BUS_V1, "dead_letter", offsetof(summa_bus_v1, dead_letter)},
    {SUMMA_BUS_V1, "settle", offsetof(summa_bus_v1, settle)},
    {SUMMA_BUS_V1, "streams", offsetof(summa_bus_v1, streams)},
    {SUMMA_BUS_V1, "groups", offsetof(summa_bus_v1, groups)},
    {SUMMA_BUS_V1, "trim", offsetof(summa_bus_v1, trim)},
    {SUMMA_BUS_V1, "seek", offsetof(summa_bus_v1, seek)},
    {SUMMA_BUS_V1, "create_group", offsetof(summa_bus_v1, create_group)},
    {SUMMA_BUS_V1, "delete_group", offsetof(summa_bus_v1, delete_group)},
    {SUMMA_BUS_V1, "revoked", offsetof(summa_bus_v1, revoked)},
};

}  // namespace

std::string MissingFunction(std::string_view extension_id, const void* table) {
  std::uint32_t size = 0;  // the first member of every table
  std::memcpy(&size, table, sizeof size);
  for (const Function& function : kFunctions) {
    if (function.extension != extension_id) continue;
    void (*pointer)() = nullptr;
    if (function.offset + sizeof pointer > size) continue;  // built when there was no such function
    std::memcpy(&pointer, static_cast<const char*>(table) + function.offset, sizeof pointer);
    if (pointer == nullptr) return function.name;
  }
  return {};
}

}  // namespace summa::host
