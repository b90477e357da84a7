# A second bus, on the memory of its process, is a part of the test kit.
summa_test(e2e_bus_test SOURCES bus_test.cpp LIBRARIES summa_e2e summa_test_fixture summa_test_services LABELS e2e)
add_dependencies(e2e_bus_test summa-host bus-redis summa_bus_memory account-greeter)
target_compile_definitions(e2e_bus_test PRIVATE
  SUMMA_BUS_MEMORY_DIRECTORY="$<TARGET_FILE_DIR:summa_bus_memory>"
  SUMMA_GREETER_DIRECTORY="$<TARGET_FILE_DIR:account-greeter>")
