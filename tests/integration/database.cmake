summa_test(database_test
  SOURCES database_autocommit_test.cpp database_commit_test.cpp database_control_plane_test.cpp database_faults_test.cpp database_pool_test.cpp database_pooler_test.cpp
          database_service_test.cpp database_session_test.cpp database_statement_test.cpp
          database_worker_store_test.cpp
  LIBRARIES summa_host_core summa_test_services LABELS integration)
summa_test(lease_test SOURCES lease_faults_test.cpp lease_take_over_test.cpp lease_test.cpp
  LIBRARIES summa_host_core summa_test_services LABELS integration)
summa_test(connect_test SOURCES database_addresses_test.cpp database_fence_test.cpp database_known_servers_test.cpp database_settings_test.cpp
          database_standby_test.cpp database_url_test.cpp
  LIBRARIES summa_host_core summa_test_services LABELS integration)
summa_test(session_budget_test SOURCES session_budget_test.cpp
  LIBRARIES summa_host_core summa_test_services LABELS integration)
# Freeze their servers.
summa_test(silence_test SOURCES database_old_primary_test.cpp database_silence_test.cpp
  LIBRARIES summa_host_core summa_test_services LABELS integration)
summa_test(schema_test SOURCES schema_test.cpp LIBRARIES summa_host_core summa_test_services LABELS integration)
summa_test(upgrade_test SOURCES upgrade_test.cpp LIBRARIES summa_host_core summa_test_fixture summa_test_services
  LABELS integration)
add_dependencies(upgrade_test outbox reconciliation)
