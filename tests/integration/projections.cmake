foreach(area projections projections_builds projections_departed projections_orders projections_plan projections_router)
  summa_test(${area}_test SOURCES ${area}_test.cpp
    LIBRARIES projections_core summa_host_core summa_test_fixture summa_test_services GTest::gmock
    LABELS integration)
  add_dependencies(${area}_test projections)
endforeach()
summa_soak_test(projections_orders_test)
