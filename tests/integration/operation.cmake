summa_test(operation_test SOURCES operation_test.cpp
  LIBRARIES summa_host_core Summa::sdk summa_test_fixture summa_test_services LABELS integration)
