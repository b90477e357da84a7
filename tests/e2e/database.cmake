summa_test(e2e_database_test SOURCES database_test.cpp LIBRARIES summa_e2e summa_test_fixture summa_test_services
  LABELS e2e)
add_dependencies(e2e_database_test summa-host outbox bus-redis reconciliation)
summa_test(e2e_schema_test SOURCES schema_test.cpp LIBRARIES summa_e2e summa_test_fixture LABELS e2e)
add_dependencies(e2e_schema_test summa-host broken-keeper)
