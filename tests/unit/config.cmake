summa_test(config_test
  SOURCES config_document_test.cpp config_interpolate_test.cpp config_loading_test.cpp config_schema_test.cpp
    config_units_test.cpp
  LIBRARIES summa_host_core
  LABELS unit)
