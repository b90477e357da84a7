summa_test(sdk_unit_test
  SOURCES assert_off_test.cpp assert_test.cpp backoff_test.cpp text_test.cpp time_test.cpp
  LIBRARIES Summa::sdk LABELS unit)
