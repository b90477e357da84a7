summa_test(bus_redis_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bus_redis_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_faults_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_group_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_listing_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_outage_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_refusal_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_tail_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_tls_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bus_redis_trim_test.cpp
  LIBRARIES summa_bus_redis summa_host_core summa_test_services LABELS integration)
summa_test(bus_redis_login_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bus_redis_login_test.cpp
  LIBRARIES summa_bus_redis summa_test_services LABELS integration)
summa_test(bus_redis_cluster_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bus_redis_cluster_test.cpp
  LIBRARIES summa_bus_redis summa_test_services LABELS integration)
summa_test(bus_redis_failover_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bus_redis_failover_test.cpp
  LIBRARIES summa_bus_redis summa_test_services LABELS integration)
