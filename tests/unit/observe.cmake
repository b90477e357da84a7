summa_test(observe_test
  SOURCES observe_log_test.cpp observe_log_writer_test.cpp
    observe_metrics_test.cpp observe_services_test.cpp
  LIBRARIES summa_host_core
  LABELS unit)
