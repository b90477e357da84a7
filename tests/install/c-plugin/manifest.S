  .section .summa.manifest,"aR",%progbits
  .globl summa_manifest_begin, summa_manifest_end
  .hidden summa_manifest_begin, summa_manifest_end
summa_manifest_begin: .incbin "plugin.yaml"
summa_manifest_end:
  .section .summa.schema,"aR",%progbits
  .asciz "schema/ledger/001_tables.sql"
  .incbin "schema/ledger/001_tables.sql"
  .byte 0
  .section .note.GNU-stack,"",%progbits
