// A plugin of a later major version, as far as this host can tell.
asm(R"(
  .pushsection .summa.manifest,"aR",%progbits
  .ascii "manifest: 1\nid: other-major\nversion: 3.0.0\nsummary: Speaks v2.\nabi: \"2.0\"\n"
  .popsection
)");

extern "C" __attribute__((visibility("default"))) const int summa_plugin_v2;
const int summa_plugin_v2 = 2;
