foreach(part maintenance_catalog maintenance_ddl maintenance_leaf)
  summa_test(${part}_test SOURCES ${part}_test.cpp
    LIBRARIES maintenance_core summa_host_core summa_test_services
    LABELS integration)
endforeach()
