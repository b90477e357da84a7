// Fills the whole summa_error, however small the caller's is.
#include <cstring>

#include "plain.hpp"

static int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.start = [](void*, summa_error* error) -> int32_t {
    error->status = SUMMA_E_UNAVAILABLE;
    std::strcpy(error->message, "the cache does not answer");
    std::strcpy(error->hint, "start the cache");
    return SUMMA_E_UNAVAILABLE;
  };
  *out = &table;
  return SUMMA_OK;
}

PLAIN_PLUGIN(&Create)
