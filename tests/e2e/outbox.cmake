summa_test(e2e_outbox_test SOURCES outbox_test.cpp LIBRARIES summa_e2e summa_test_fixture
  summa_test_services LABELS e2e TIMEOUT 300)
add_dependencies(e2e_outbox_test summa-host outbox bus-redis)
