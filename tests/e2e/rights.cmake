foreach(part partial_tables rights start_up)
  summa_test(e2e_${part}_test SOURCES ${part}_test.cpp LIBRARIES summa_e2e summa_test_fixture
    summa_test_services LABELS e2e TIMEOUT 300)
  add_dependencies(e2e_${part}_test summa-host outbox bus-redis reconciliation)
endforeach()
target_link_libraries(e2e_rights_test PRIVATE Summa::ledger)
