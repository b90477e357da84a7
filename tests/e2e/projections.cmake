summa_test(e2e_projections_test SOURCES projections_test.cpp LIBRARIES summa_e2e summa_test_fixture
  summa_test_services GTest::gmock LABELS e2e)
add_dependencies(e2e_projections_test summa-host bus-redis outbox projections reconciliation regular-credits)
summa_test(e2e_projections_departed_test SOURCES projections_departed_test.cpp LIBRARIES summa_e2e
  summa_test_services GTest::gmock LABELS e2e)
add_dependencies(e2e_projections_departed_test summa-host maintenance projections)
