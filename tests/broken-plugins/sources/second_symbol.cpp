// Exports a function beside its descriptor, as a build without the version script does.
#include "plain.hpp"

asm(R"(
  .pushsection .summa.manifest,"aR",%progbits
  .globl summa_manifest_begin, summa_manifest_end
  .hidden summa_manifest_begin, summa_manifest_end
summa_manifest_begin:
  .ascii "manifest: 1\nid: second-symbol\nversion: 1.0.0\nsummary: Exports more.\nabi: \"1.0\"\n"
summa_manifest_end:
  .popsection
)");

extern "C" __attribute__((visibility("default"))) int example_json_parse() { return 1; }

static int32_t Create(const summa_host*, summa_plugin** out, summa_error*) {
  static summa_plugin table = PlainTable();
  *out = &table;
  return SUMMA_OK;
}

PLAIN_PLUGIN(&Create)
