summa_test(database_unit_test
  SOURCES database_wake_up_test.cpp
  LIBRARIES summa_host_core
  LABELS unit)
