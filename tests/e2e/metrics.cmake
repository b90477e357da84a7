summa_test(e2e_metrics_test SOURCES metrics_test.cpp LIBRARIES summa_e2e summa_test_fixture summa_test_services
  simdjson::simdjson LABELS e2e)
target_compile_definitions(e2e_metrics_test PRIVATE SUMMA_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_dependencies(e2e_metrics_test summa-host outbox bus-redis reconciliation maintenance)
summa_test(e2e_status_test SOURCES status_test.cpp LIBRARIES summa_e2e summa_test_fixture summa_test_services
  simdjson::simdjson LABELS e2e)
add_dependencies(e2e_status_test summa-host outbox bus-redis)
