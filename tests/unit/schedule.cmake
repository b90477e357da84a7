summa_test(schedule_test
  SOURCES foreign_text_test.cpp schedule_due_time_test.cpp schedule_pauses_test.cpp schedule_stop_signal_test.cpp schedule_tick_call_test.cpp
  LIBRARIES summa_host_core
  LABELS unit)
