summa_test(e2e_host_test SOURCES host_test.cpp LIBRARIES summa_e2e summa_test_fixture LABELS e2e)
add_dependencies(e2e_host_test summa-host broken-good broken-newer-abi broken-throws-in-start broken-sick)
