# Plugins in processes of their own, and plugins that are locked.
summa_test(e2e_isolation_test SOURCES isolation_test.cpp LIBRARIES summa_e2e summa_test_fixture
  simdjson::simdjson LABELS e2e)
add_dependencies(e2e_isolation_test summa-host broken-good broken-crashes broken-routes)
summa_test(e2e_isolation_outbox_test SOURCES isolation_outbox_test.cpp LIBRARIES summa_e2e summa_test_fixture
  summa_test_services LABELS e2e)
add_dependencies(e2e_isolation_outbox_test summa-host outbox bus-redis broken-crashes)
summa_test(e2e_trust_test SOURCES trust_test.cpp LIBRARIES summa_e2e summa_test_fixture LABELS e2e)
add_dependencies(e2e_trust_test summa-host broken-clash broken-good broken-keeper)
