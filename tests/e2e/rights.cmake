foreach(part each_right partial_tables rights start_up)
  summa_test(e2e_${part}_test SOURCES ${part}_test.cpp LIBRARIES summa_e2e summa_test_fixture
    summa_test_services LABELS e2e)
  add_dependencies(e2e_${part}_test summa-host outbox bus-redis reconciliation)
endforeach()
foreach(part each_right rights)
  target_link_libraries(e2e_${part}_test PRIVATE Summa::ledger)
endforeach()
