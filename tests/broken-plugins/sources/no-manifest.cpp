#include <summa/abi/plugin.h>

static int32_t Create(const summa_host*, summa_plugin**, summa_error*) { return SUMMA_E_INTERNAL; }

extern "C" __attribute__((visibility("default"))) const summa_entry summa_plugin_v1;
const summa_entry summa_plugin_v1 = {
    SUMMA_ENTRY_MAGIC, sizeof(summa_entry), SUMMA_ABI_MAJOR, 0, 0, "", "", "no SDK", &Create};
