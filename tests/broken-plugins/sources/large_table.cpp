// Says that its table of workers is much larger than it is.
#include <summa/abi/worker.h>

#include <array>
#include <string_view>

#include "plain.hpp"

namespace {

int32_t Tick(void*, const summa_tick*, summa_tick_result* result, summa_error*) {
  result->backlog = 0;
  return SUMMA_OK;
}

const void* Extension(void*, const char* id) {
  static const summa_worker worker = {
      sizeof(summa_worker), 0, nullptr, {"large-table-worker", 18}, &Tick};
  static const summa_worker* const workers[] = {&worker};
  static struct {
    summa_worker_v1 table;
    std::array<uint64_t, 8> rubbish;
  } large = {{sizeof large, 1, workers}, {}};
  large.rubbish.fill(0xDEADBEEFDEADBEEF);
  return std::string_view(id) == SUMMA_WORKER_V1 ? &large : nullptr;
}

int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.get_extension = &Extension;
  *out = &table;
  return SUMMA_OK;
}

}  // namespace

PLAIN_PLUGIN(&Create)
