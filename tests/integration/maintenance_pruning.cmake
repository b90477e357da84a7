foreach(part maintenance_pruning reconciliation_detached)
  summa_test(${part}_test SOURCES ${part}_test.cpp
    LIBRARIES reconciliation_core summa_host_core summa_test_fixture summa_test_services
    LABELS integration)
  add_dependencies(${part}_test reconciliation outbox)
endforeach()
