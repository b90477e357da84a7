summa_test(outbox_unit_test SOURCES outbox_test.cpp outbox_troubles_test.cpp LIBRARIES outbox_core LABELS unit)
