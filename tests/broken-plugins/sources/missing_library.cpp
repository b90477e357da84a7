#include "plain.hpp"

extern "C" int summa_gone_one();
extern "C" int summa_gone_two();

static int32_t Create(const summa_host*, summa_plugin**, summa_error*) {
  return summa_gone_one() + summa_gone_two();
}

PLAIN_PLUGIN(&Create)
