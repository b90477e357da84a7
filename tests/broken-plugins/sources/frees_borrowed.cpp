// Frees what the host has allocated.
#include <summa/error.hpp>

#include <cstdlib>

#include "plain.hpp"

namespace {

int32_t Configure(void*, const summa_config* config, summa_error*) {
  summa_str value{};
  if (config->get(config->self, summa::ToAbi("name"), &value) == 1) {
    std::free(const_cast<char*>(value.data));  // NOLINT(clang-analyzer-unix.Malloc)
  }
  return SUMMA_OK;
}

int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.configure = &Configure;
  *out = &table;
  return SUMMA_OK;
}

}  // namespace

PLAIN_PLUGIN(&Create)
