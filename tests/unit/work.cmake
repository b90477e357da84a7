summa_test(work_test SOURCES work_test.cpp LIBRARIES Summa::sdk LABELS unit)
summa_test(progress_display_test SOURCES progress_display_test.cpp LIBRARIES summa_host_core LABELS unit)
