summa_sharded_test(faults_partition_migration_test 4 SOURCES partition_migration_test.cpp
  LIBRARIES summa_test_rounds)
add_dependencies(faults_partition_migration_test maintenance)

# A ledger under load while it is migrated; also of the benchmark.
add_library(summa_migration_load STATIC ledger_readers.cpp migration_load.cpp)
target_link_libraries(summa_migration_load PUBLIC summa_test_rounds PRIVATE summa_warnings)
add_dependencies(summa_migration_load maintenance reconciliation)

summa_sharded_test(faults_partition_migration_load_test 2 SOURCES partition_migration_load_test.cpp
  LIBRARIES summa_migration_load)
