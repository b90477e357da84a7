summa_test(e2e_create_ledger_test SOURCES create_ledger_test.cpp
  LIBRARIES summa_e2e LABELS e2e)
add_dependencies(e2e_create_ledger_test summa-host maintenance)
