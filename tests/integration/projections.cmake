summa_test(projections_test SOURCES projections_test.cpp
  LIBRARIES projections_core summa_host_core summa_test_fixture summa_test_services GTest::gmock
  LABELS integration)
add_dependencies(projections_test projections)
