foreach(part maintenance_manager maintenance_detach maintenance_archive maintenance_partition_blockers
    maintenance_storm)
  summa_test(${part}_test SOURCES ${part}_test.cpp
    LIBRARIES maintenance_core summa_host_core summa_test_fixture summa_test_services
    LABELS integration)
  add_dependencies(${part}_test maintenance reconciliation)
endforeach()
summa_test(maintenance_remainder_test SOURCES maintenance_remainder_test.cpp
  LIBRARIES maintenance_core reconciliation_core summa_host_core summa_test_fixture summa_test_services
  LABELS integration)
add_dependencies(maintenance_remainder_test maintenance reconciliation outbox)
