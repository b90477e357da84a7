// The C ABI without the skin, for plugins that do what the skin prevents.
#pragma once

#include <summa/abi/plugin.h>

extern "C" {
extern const char summa_manifest_begin[];
extern const char summa_manifest_end[];
}

#define PLAIN_PLUGIN(create) PLAIN_PLUGIN_WITH(summa_manifest_begin, summa_manifest_end, create)
#define PLAIN_PLUGIN_WITH(begin, end, create)                                          \
  extern "C" __attribute__((visibility("default"))) const summa_entry summa_plugin_v1; \
  const summa_entry summa_plugin_v1 = {SUMMA_ENTRY_MAGIC,                              \
                                       sizeof(summa_entry),                            \
                                       SUMMA_ABI_MAJOR,                                \
                                       0,                                              \
                                       0,                                              \
                                       begin,                                          \
                                       end,                                            \
                                       "no SDK",                                       \
                                       create};

// A plugin whose functions all succeed and do nothing.
inline summa_plugin PlainTable() {
  summa_plugin table{};
  table.struct_size = sizeof(summa_plugin);
  table.configure = [](void*, const summa_config*, summa_error*) -> int32_t { return SUMMA_OK; };
  table.start = [](void*, summa_error*) -> int32_t { return SUMMA_OK; };
  table.get_extension = [](void*, const char*) -> const void* { return nullptr; };
  table.stop = [](void*, summa_error*) -> int32_t { return SUMMA_OK; };
  table.destroy = [](void*) {};
  return table;
}
