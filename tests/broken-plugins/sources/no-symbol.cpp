// A manifest, and nothing that belongs to it.
asm(R"(
  .pushsection .summa.manifest,"aR",%progbits
  .ascii "manifest: 1\nid: no-symbol\nversion: 1.0.0\nsummary: Empty.\nabi: \"1.0\"\n"
  .popsection
)");
