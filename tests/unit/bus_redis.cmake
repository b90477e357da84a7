summa_test(bus_redis_unit_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/bus_redis_unit_test.cpp
  LIBRARIES summa_bus_redis LABELS unit)
