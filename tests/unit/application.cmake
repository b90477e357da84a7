summa_test(application_test SOURCES readiness_test.cpp signal_safe_line_test.cpp schemas_test.cpp status_test.cpp LIBRARIES summa_host_core simdjson::simdjson LABELS unit)
