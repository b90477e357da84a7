// Handlers that do what the skin of the SDK prevents.
#include <summa/abi/endpoint.h>

#include <array>
#include <stdexcept>
#include <string_view>

#include "plain.hpp"

namespace {

using Respond = void (*)(void*, const summa_response*);

int32_t Throw(void*, const summa_request*, Respond, void*, summa_error*) {
  throw std::runtime_error("across the boundary");
}
int32_t Silent(void*, const summa_request*, Respond, void*, summa_error*) { return SUMMA_OK; }
int32_t Twice(void*, const summa_request*, Respond respond, void* result, summa_error*) {
  summa_response response{};
  response.struct_size = sizeof response;
  response.status = 200;
  respond(result, &response);
  respond(result, &response);
  return SUMMA_OK;
}
int32_t Nothing(void*, const summa_request*, Respond respond, void* result, summa_error*) {
  respond(result, nullptr);
  return SUMMA_OK;
}

template <size_t kSize>
constexpr summa_str Text(const char (&text)[kSize]) {
  return {text, kSize - 1};
}

const void* Extension(void*, const char* id) {
  static const std::array<summa_route, 4> routes = {{
      {sizeof(summa_route), 0, nullptr, Text("GET"), Text("/v1/raw/throws"), &Throw},
      {sizeof(summa_route), 0, nullptr, Text("GET"), Text("/v1/raw/silent"), &Silent},
      {sizeof(summa_route), 0, nullptr, Text("GET"), Text("/v1/raw/twice"), &Twice},
      {sizeof(summa_route), 0, nullptr, Text("GET"), Text("/v1/raw/nothing"), &Nothing},
  }};
  static const std::array<const summa_route*, 4> pointers = {&routes[0], &routes[1], &routes[2],
                                                             &routes[3]};
  static const summa_endpoint_v1 table = {sizeof table, 4, pointers.data()};
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
