summa_test(e2e_signal_test SOURCES signal_test.cpp LIBRARIES summa_e2e summa_test_fixture util LABELS e2e)
add_dependencies(e2e_signal_test summa-host broken-good broken-crashes)
summa_test(e2e_crash_test SOURCES crash_test.cpp LIBRARIES summa_e2e summa_test_fixture LABELS e2e)
add_dependencies(e2e_crash_test summa-host broken-good broken-crashes)
