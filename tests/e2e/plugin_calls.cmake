# Calls of plugins that hang, throw and say rubbish.
summa_test(e2e_plugin_calls_test SOURCES plugin_calls_test.cpp LIBRARIES summa_e2e summa_test_fixture LABELS e2e)
add_dependencies(e2e_plugin_calls_test summa-host broken-good broken-fickle broken-no-manifest)
