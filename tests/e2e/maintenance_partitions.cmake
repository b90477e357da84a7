summa_test(e2e_partitions_test SOURCES partitions_test.cpp LIBRARIES summa_e2e summa_test_fixture summa_test_services
  LABELS e2e)
add_dependencies(e2e_partitions_test summa-host maintenance)
summa_test(e2e_remainder_test SOURCES remainder_test.cpp LIBRARIES summa_e2e summa_test_services LABELS e2e)
add_dependencies(e2e_remainder_test summa-host maintenance)
