# Paths of plugins over HTTP: served, refused, hanging, saturated.
summa_test(e2e_http_test SOURCES http_test.cpp LIBRARIES summa_e2e summa_test_fixture
  simdjson::simdjson LABELS e2e)
add_dependencies(e2e_http_test summa-host broken-routes broken-raw-routes broken-rival-routes)
