summa_test(config_test
  SOURCES config_document_test.cpp config_interpolate_test.cpp config_loading_test.cpp config_schema_test.cpp
    config_units_test.cpp
  LIBRARIES summa_host_core
  LABELS unit)
# g++ 12 with sanitizers takes its own <regex> for uninitialised.
if(SUMMA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(config_test PRIVATE -Wno-maybe-uninitialized)
endif()
