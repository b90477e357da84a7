summa_test(sdk_unit_test
  SOURCES assert_off_test.cpp assert_test.cpp backoff_test.cpp text_test.cpp time_test.cpp
  LIBRARIES Summa::sdk LABELS unit)
summa_test(testkit_unit_test SOURCES testkit_scripted_sql_test.cpp LIBRARIES Summa::sdk LABELS unit)
# Also for consumers: what happens where the system has no more threads.
summa_test(parallel_test SOURCES parallel_test.cpp LIBRARIES Summa::consumer summa_test_thread_limit LABELS unit)
