# The journal of operations, with the example plugin of the SDK.
summa_sharded_test(faults_operation_test 2 SOURCES operation_test.cpp LIBRARIES summa_test_rounds)
add_dependencies(faults_operation_test history)
