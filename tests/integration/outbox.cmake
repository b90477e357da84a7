summa_test(outbox_test SOURCES outbox_test.cpp
  LIBRARIES outbox_core summa_host_core summa_test_fixture summa_test_services
  LABELS integration TIMEOUT 240)
