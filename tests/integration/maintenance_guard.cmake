foreach(part maintenance_guard maintenance_guard_reading)
  summa_test(${part}_test SOURCES ${part}_test.cpp
    LIBRARIES maintenance_core summa_host_core summa_test_fixture summa_test_services LABELS integration)
  add_dependencies(${part}_test maintenance)
endforeach()
