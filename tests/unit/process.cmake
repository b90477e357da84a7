summa_test(process_test SOURCES process_message_test.cpp process_link_test.cpp process_policy_test.cpp
  process_view_test.cpp LIBRARIES summa_host_core LABELS unit)
