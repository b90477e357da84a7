// A worker without the SDK that lets an exception out.
#include <summa/abi/worker.h>

#include <stdexcept>
#include <string_view>

#include "plain.hpp"

namespace {

int32_t Tick(void*, const summa_tick*, summa_tick_result*, summa_error*) {
  throw std::runtime_error("no such row");
}

const void* Extension(void*, const char* id) {
  static const summa_worker worker = {
      sizeof(summa_worker), 0, nullptr, {"throws-in-tick-worker", 21}, &Tick};
  static const summa_worker* const workers[] = {&worker};
  static const summa_worker_v1 table = {sizeof table, 1, workers};
  return std::string_view(id) == SUMMA_WORKER_V1 ? &table : nullptr;
}

int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.get_extension = &Extension;
  *out = &table;
  return SUMMA_OK;
}

}  // namespace

PLAIN_PLUGIN(&Create)
