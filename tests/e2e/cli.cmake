add_library(summa_e2e STATIC summa_host.cpp)
target_link_libraries(summa_e2e PUBLIC summa_test_services GTest::gtest PRIVATE simdjson::simdjson summa_warnings)
add_dependencies(summa_e2e summa-host)

summa_test(e2e_cli_test SOURCES cli_test.cpp LIBRARIES summa_e2e LABELS e2e)

# Every configuration that we ship passes the check, as an operator would run it.
foreach(file summa.yaml examples/deployed-redis.yaml examples/deployed.yaml examples/kafka.yaml)
  add_test(NAME config_check_${file} COMMAND summa-host config check -c ${CMAKE_SOURCE_DIR}/config/${file})
  set_tests_properties(config_check_${file} PROPERTIES LABELS "e2e;config" TIMEOUT 900)
endforeach()
