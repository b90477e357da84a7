foreach(part reconciliation_books reconciliation_repeats reconciliation_blocks reconciliation_snapshots reconciliation_daily)
  summa_test(${part}_test SOURCES ${part}_test.cpp
    LIBRARIES reconciliation_core summa_host_core summa_test_fixture summa_test_services
    LABELS integration)
  add_dependencies(${part}_test reconciliation)
endforeach()
target_link_libraries(reconciliation_daily_test PRIVATE simdjson::simdjson)
