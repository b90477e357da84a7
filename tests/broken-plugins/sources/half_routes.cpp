// A table of routes whose only entry has no handler.
#include <summa/abi/endpoint.h>

#include <string_view>

#include "plain.hpp"

namespace {

const void* Extension(void*, const char* id) {
  static const summa_route route = {sizeof(summa_route), 0,      nullptr, {"GET", 3},
                                    {"/v1/half", 8},     nullptr};
  static const summa_route* const routes[] = {&route};
  static const summa_endpoint_v1 table = {sizeof table, 1, routes};
  return std::string_view(id) == SUMMA_ENDPOINT_V1 ? &table : nullptr;
}

int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.get_extension = &Extension;
  *out = &table;
  return SUMMA_OK;
}

}  // namespace

PLAIN_PLUGIN(&Create)
