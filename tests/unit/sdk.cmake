summa_test(sdk_unit_test
  SOURCES abi_layout_test.cpp assert_off_test.cpp assert_test.cpp backoff_test.cpp contract_test.cpp
    text_test.cpp time_test.cpp
  LIBRARIES Summa::sdk LABELS unit)
summa_test(testkit_unit_test SOURCES testkit_fakes_test.cpp testkit_scripted_sql_test.cpp LIBRARIES Summa::testkit
  LABELS unit)
summa_test(conformance_unit_test SOURCES conformance_test.cpp LIBRARIES Summa::conformance LABELS unit)
# Also for consumers: what happens where the system has no more threads.
summa_test(parallel_test SOURCES parallel_test.cpp LIBRARIES Summa::consumer summa_test_thread_limit LABELS unit)
