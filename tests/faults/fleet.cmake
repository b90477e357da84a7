# Several hosts on one ledger: leases, fences, due times, stop. Real programs, real PostgreSQL.
summa_fault_plugin(ledger-writer)

# Loaded before the C library of a host, to give it another clock.
add_library(clock_shift MODULE clock_shift.c)
set_target_properties(clock_shift PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/faults)
target_link_libraries(clock_shift PRIVATE ${CMAKE_DL_LIBS})

add_library(summa_fleet STATIC fleet.cpp)
target_link_libraries(summa_fleet PUBLIC summa_e2e summa_test_fixture summa_test_services GTest::gtest
  PRIVATE summa_warnings)
add_dependencies(summa_fleet summa-host ledger-writer clock_shift outbox bus-redis)

foreach(area freeze clock stop many node daily)
  summa_test(fleet_${area}_test SOURCES fleet_${area}_test.cpp LIBRARIES summa_fleet LABELS faults)
endforeach()
foreach(area many node daily)
  summa_soak_test(fleet_${area}_test)
endforeach()
target_link_libraries(fleet_node_test PRIVATE summa_host_core)
