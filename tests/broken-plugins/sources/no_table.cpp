#include "plain.hpp"

static int32_t Create(const summa_host*, summa_plugin**, summa_error*) { return SUMMA_OK; }

PLAIN_PLUGIN(&Create)
