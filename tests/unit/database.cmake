summa_test(sql_unit_test SOURCES sql_value_test.cpp LIBRARIES Summa::sdk LABELS unit)
