summa_test(runner_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/runner_loop_test.cpp ${CMAKE_CURRENT_LIST_DIR}/runner_stop_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/runner_once_test.cpp ${CMAKE_CURRENT_LIST_DIR}/runner_due_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/runner_orders_test.cpp ${CMAKE_CURRENT_LIST_DIR}/runner_parked_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/runner_stuck_test.cpp
  LIBRARIES summa_host_core summa_test_services LABELS integration)
