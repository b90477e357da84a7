summa_test(sql_unit_test SOURCES sql_value_test.cpp LIBRARIES Summa::sdk LABELS unit)
summa_test(database_unit_test
  SOURCES database_wake_up_test.cpp
  LIBRARIES summa_host_core
  LABELS unit)
