// Takes a text of the ABI for one that ends with NUL.
#include <summa/error.hpp>

#include <cstring>

#include "plain.hpp"

namespace {

int32_t Configure(void*, const summa_config* config, summa_error*) {
  summa_str value{};
  if (config->get(config->self, summa::ToAbi("name"), &value) != 1) return SUMMA_OK;
  return std::strlen(value.data) == 1 ? SUMMA_E_CONFIG : SUMMA_OK;
}

int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.configure = &Configure;
  *out = &table;
  return SUMMA_OK;
}

}  // namespace

PLAIN_PLUGIN(&Create)
