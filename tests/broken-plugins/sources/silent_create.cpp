#include "plain.hpp"

static int32_t Create(const summa_host*, summa_plugin**, summa_error*) { return SUMMA_E_INTERNAL; }

PLAIN_PLUGIN(&Create)
