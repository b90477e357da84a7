summa_test(e2e_log_test SOURCES log_test.cpp LIBRARIES summa_e2e summa_test_fixture LABELS e2e)
add_dependencies(e2e_log_test summa-host broken-good broken-chatty)
