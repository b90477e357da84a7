summa_test(application_test SOURCES readiness_test.cpp LIBRARIES summa_host_core LABELS unit)
