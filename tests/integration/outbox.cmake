foreach(part outbox outbox_odd_rows outbox_waiting outbox_modes outbox_redrive outbox_refused)
  summa_test(${part}_test SOURCES ${part}_test.cpp
    LIBRARIES outbox_core summa_host_core summa_test_fixture summa_test_services
    LABELS integration)
  add_dependencies(${part}_test outbox)
endforeach()
target_link_libraries(outbox_refused_test PRIVATE GTest::gmock)
