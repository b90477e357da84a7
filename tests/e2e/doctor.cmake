summa_test(e2e_doctor_test SOURCES doctor_test.cpp LIBRARIES summa_e2e summa_test_fixture summa_test_services
  simdjson::simdjson LABELS e2e)
add_dependencies(e2e_doctor_test summa-host outbox bus-redis broken-sick)
