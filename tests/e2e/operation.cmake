summa_test(e2e_operation_test SOURCES operation_test.cpp LIBRARIES summa_e2e summa_test_fixture
  summa_test_services LABELS e2e)
add_dependencies(e2e_operation_test summa-host history)
