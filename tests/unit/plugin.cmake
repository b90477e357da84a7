summa_test(plugin_bus_gate_test SOURCES plugin_bus_gate_test.cpp LIBRARIES summa_host_core LABELS plugin)
summa_test(plugin_manifest_test SOURCES plugin_manifest_test.cpp LIBRARIES summa_host_core LABELS plugin)
summa_test(plugin_graph_test SOURCES plugin_graph_test.cpp LIBRARIES summa_host_core LABELS plugin)
summa_test(plugin_discovery_test SOURCES plugin_discovery_test.cpp LIBRARIES summa_host_core LABELS plugin)
summa_test(plugin_config_view_test SOURCES plugin_config_view_test.cpp LIBRARIES summa_host_core LABELS plugin)
# The files it looks at are built for tests/broken-plugins.
target_compile_definitions(plugin_discovery_test PRIVATE
  BROKEN_PLUGINS_DIRECTORY="${CMAKE_BINARY_DIR}/tests/broken-plugins")
add_dependencies(plugin_discovery_test broken-good broken-newer-abi broken-ring-a)
target_compile_definitions(plugin_manifest_test PRIVATE SUMMA_PLUGIN_SOURCES="${CMAKE_SOURCE_DIR}/plugins")
