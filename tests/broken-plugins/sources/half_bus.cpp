// Provides a bus that can publish and nothing else.
#include <summa/abi/bus.h>

#include <string_view>

#include "plain.hpp"

namespace {

const void* Extension(void*, const char* id) {
  static summa_bus_v1 bus;
  bus.struct_size = sizeof bus;
  bus.publish = [](void*, const summa_bus_message*, size_t, summa_bus_receipt*,
                   summa_error*) -> int32_t { return SUMMA_OK; };
  return std::string_view(id) == SUMMA_BUS_V1 ? &bus : nullptr;
}

int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.get_extension = &Extension;
  *out = &table;
  return SUMMA_OK;
}

}  // namespace

PLAIN_PLUGIN(&Create)
