# bus-redis once more under another name: two buses in one host. Its worker has another name, too.
foreach(part IN ITEMS plugin.yaml plugin.cpp)
  file(READ ${CMAKE_SOURCE_DIR}/plugins/bus-redis/${part} text)
  string(REGEX REPLACE "(stream-trim)([\"\n])" "\\1-two\\2" text "${text}")
  file(CONFIGURE OUTPUT bus_redis_two_${part} CONTENT "${text}" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/plugins/bus-redis/${part})
endforeach()
file(READ ${CMAKE_CURRENT_BINARY_DIR}/bus_redis_two_plugin.yaml manifest)
string(REPLACE "id: bus-redis" "id: bus-redis-two" manifest "${manifest}")
string(REPLACE "SH-06" "SH-96" manifest "${manifest}")
file(CONFIGURE OUTPUT bus_redis_two.yaml CONTENT "${manifest}" @ONLY)
summa_add_plugin(bus-redis-two MANIFEST ${CMAKE_CURRENT_BINARY_DIR}/bus_redis_two.yaml
  SOURCES ${CMAKE_CURRENT_BINARY_DIR}/bus_redis_two_plugin.cpp)
target_link_libraries(bus-redis-two PRIVATE summa_bus_redis summa_warnings)
# Not beside the plugins that are shipped.
set_target_properties(bus-redis-two PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/plugins)

foreach(part kafka kafka_reload outbox outbox_canary outbox_failover outbox_repair reload)
  summa_test(e2e_${part}_test SOURCES ${part}_test.cpp LIBRARIES summa_e2e summa_test_fixture
    summa_test_services LABELS e2e)
  add_dependencies(e2e_${part}_test summa-host outbox bus-redis)
endforeach()
add_dependencies(e2e_kafka_test bus-kafka)
add_dependencies(e2e_kafka_reload_test bus-kafka)
add_dependencies(e2e_outbox_repair_test bus-redis-two)
target_compile_definitions(e2e_outbox_repair_test PRIVATE
  SUMMA_SECOND_BUS_DIRECTORY="${CMAKE_CURRENT_BINARY_DIR}/plugins")
target_link_libraries(e2e_outbox_canary_test PRIVATE summa_test_faults)
