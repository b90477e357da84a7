summa_test(http_test SOURCES http_server_test.cpp http_route_test.cpp
  LIBRARIES summa_host_core ZLIB::ZLIB LABELS unit)
