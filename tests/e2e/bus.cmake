# A second bus, on the memory of its process. Not beside the plugins that are shipped.
summa_add_plugin(bus-memory MANIFEST ${CMAKE_CURRENT_LIST_DIR}/bus-memory/plugin.yaml
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bus-memory/plugin.cpp)
target_link_libraries(bus-memory PRIVATE Summa::bus_plugin summa_warnings)
set_target_properties(bus-memory PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/plugins)

summa_test(e2e_bus_test SOURCES bus_test.cpp LIBRARIES summa_e2e summa_test_fixture summa_test_services LABELS e2e)
add_dependencies(e2e_bus_test summa-host bus-redis bus-memory greeter)
target_compile_definitions(e2e_bus_test PRIVATE
  SUMMA_BUS_MEMORY_DIRECTORY="${CMAKE_CURRENT_BINARY_DIR}/plugins"
  SUMMA_GREETER_DIRECTORY="$<TARGET_FILE_DIR:greeter>")
