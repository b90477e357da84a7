#include "plain.hpp"

static const char kOther[] = "manifest: 1\n";

static int32_t Create(const summa_host*, summa_plugin**, summa_error*) { return SUMMA_E_INTERNAL; }

PLAIN_PLUGIN_WITH(kOther, kOther + sizeof(kOther) - 1, &Create)
