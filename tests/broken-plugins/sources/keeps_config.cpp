// Keeps the text of its configuration, which is lent for configure() alone.
#include <summa/plugin.hpp>

#include <cstdint>
#include <string_view>

#include "plain.hpp"

namespace {

std::string_view kept;

int32_t Configure(void*, const summa_config* config, summa_error*) {
  summa_str value{};
  if (config->get(config->self, summa::ToAbi("name"), &value) == 1) kept = summa::FromAbi(value);
  return SUMMA_OK;
}

int32_t Start(void*, summa_error*) {
  uint32_t sum = 0;
  for (const char c : kept) sum += static_cast<unsigned char>(c);
  return sum == 1 ? SUMMA_E_CONFIG : SUMMA_OK;
}

int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  table.configure = &Configure;
  table.start = &Start;
  *out = &table;
  return SUMMA_OK;
}

}  // namespace

PLAIN_PLUGIN(&Create)
