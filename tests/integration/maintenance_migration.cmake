foreach(part maintenance_migration maintenance_migration_blockers maintenance_slices)
  summa_test(${part}_test SOURCES ${part}_test.cpp
    LIBRARIES maintenance_core summa_host_core summa_test_fixture summa_test_services GTest::gmock
    LABELS integration)
  add_dependencies(${part}_test maintenance)
endforeach()
