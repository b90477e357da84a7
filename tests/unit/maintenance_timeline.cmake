summa_test(maintenance_timeline_test SOURCES maintenance_timeline_test.cpp LIBRARIES maintenance_core GTest::gmock
  LABELS unit)
