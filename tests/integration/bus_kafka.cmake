foreach(part bus_kafka bus_kafka_cluster bus_kafka_login)
  summa_test(${part}_test SOURCES ${part}_test.cpp LIBRARIES summa_bus_kafka summa_test_services LABELS integration)
endforeach()
target_link_libraries(bus_kafka_cluster_test PRIVATE summa_test_faults)
