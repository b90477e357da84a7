summa_test(bus_kafka_unit_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/bus_kafka_unit_test.cpp
  LIBRARIES summa_bus_kafka LABELS unit)
