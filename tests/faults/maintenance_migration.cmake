add_library(summa_test_partition_migration STATIC partition_migration_support.cpp)
target_link_libraries(summa_test_partition_migration PUBLIC summa_test_rounds
  PRIVATE summa_warnings)
add_dependencies(summa_test_partition_migration maintenance)

summa_sharded_test(faults_partition_migration_test 6 SOURCES partition_migration_test.cpp
  LIBRARIES summa_test_partition_migration)
# Each shard has pairs of one strategy, so the number of shards is even.
summa_sharded_test(faults_partition_migration_pairs_test 6
  SOURCES partition_migration_pairs_test.cpp
  LIBRARIES summa_test_partition_migration summa_fleet)
summa_soak_test(faults_partition_migration_pairs_test IN_PARTS)
summa_sharded_test(faults_partition_migration_freeze_test 2
  SOURCES partition_migration_freeze_test.cpp LIBRARIES summa_test_partition_migration)

# A ledger under load while it is migrated; also of the benchmark.
add_library(summa_migration_load STATIC ledger_readers.cpp migration_load.cpp)
target_link_libraries(summa_migration_load PUBLIC summa_test_rounds PRIVATE summa_warnings)
add_dependencies(summa_migration_load maintenance reconciliation)

summa_sharded_test(faults_partition_migration_load_test 2 SOURCES partition_migration_load_test.cpp
  LIBRARIES summa_migration_load)
