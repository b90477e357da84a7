summa_test(outbox_unit_test SOURCES outbox_test.cpp outbox_sink_problems_test.cpp LIBRARIES outbox_core LABELS unit)
