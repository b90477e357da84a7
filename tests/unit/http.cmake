summa_test(http_test SOURCES http_server_test.cpp LIBRARIES summa_host_core LABELS unit)
