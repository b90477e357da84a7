summa_test(sdk_unit_test SOURCES backoff_test.cpp time_test.cpp LIBRARIES Summa::sdk LABELS unit)
