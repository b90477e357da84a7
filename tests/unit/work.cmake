summa_test(work_test SOURCES work_test.cpp LIBRARIES Summa::sdk LABELS unit)
