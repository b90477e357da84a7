# summa_add_plugin(name MANIFEST plugin.yaml SOURCES a.cpp b.cpp ...)
#
# A plugin `name.so`: one exported symbol, never unloaded, its manifest in the ELF section .summa.manifest
# (readable without running any of its code: `readelf -p .summa.manifest name.so`), and in .summa.schema the steps
# of its tables that the manifest names (`schema/<database>/NNN_<name>.sql`, beside the manifest).
#
# summa_add_plugin_test(name PLUGIN plugin SOURCES a.cpp ... [LIBRARIES ...] [VERIFY_WITH summa.yaml])
#
# A test program that links Summa::testkit and GoogleTest (find_package(GTest) is the project's). ctest runs it with the
# installed host (SUMMA_HOST_PROGRAM), which finds this plugin, and bus-memory of the test kit (SUMMA_PLUGIN_PATH). The
# first one for a plugin also adds the test `<plugin>.verify`: `summa-host plugins verify`, with the configuration
# VERIFY_WITH where the defaults of the manifest are not enough.
set(SUMMA_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/plugin.map CACHE INTERNAL "version script of plugins")

# The assembler text of the section, and the files in it; both empty when the manifest names none.
function(summa_schema_section manifest out_text out_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${manifest})
  cmake_path(GET manifest PARENT_PATH folder)
  file(STRINGS ${manifest} lines REGEX "^[^#]*schema/(ledger|read)/")
  string(REGEX MATCHALL "schema/(ledger|read)/[0-9][0-9][0-9]_[a-z0-9_]+\\.sql" named "${lines}")
  set(text)
  set(files)
  foreach(path ${named})
    if(NOT EXISTS ${folder}/${path})
      message(FATAL_ERROR "${manifest} names ${path}, and there is no such file beside it")
    endif()
    list(APPEND files ${folder}/${path})
    string(APPEND text "  .asciz \"${path}\"\n  .incbin \"${folder}/${path}\"\n  .byte 0\n")
  endforeach()
  if(files)
    string(PREPEND text "  .section .summa.schema,\"aR\",%progbits\n")
  endif()
  set(${out_text} "${text}" PARENT_SCOPE)
  set(${out_files} "${files}" PARENT_SCOPE)
endfunction()

function(summa_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MANIFEST" "SOURCES")
  if(NOT arg_MANIFEST)
    message(FATAL_ERROR "summa_add_plugin(${name}): MANIFEST plugin.yaml is missing")
  endif()
  cmake_path(ABSOLUTE_PATH arg_MANIFEST NORMALIZE OUTPUT_VARIABLE manifest)
  summa_schema_section(${manifest} schema steps)
  list(PREPEND steps ${manifest})
  set(stub ${CMAKE_CURRENT_BINARY_DIR}/${name}.manifest.S)
  # "R" (retain) keeps the section through --gc-sections and strip, on every linker.
  file(CONFIGURE OUTPUT ${stub} CONTENT [[
  .section .summa.manifest,"aR",%progbits
  .globl summa_manifest_begin, summa_manifest_end
  .hidden summa_manifest_begin, summa_manifest_end
summa_manifest_begin: .incbin "@manifest@"
summa_manifest_end:
@schema@  .section .note.GNU-stack,"",%progbits
]] @ONLY)
  set_source_files_properties(${stub} PROPERTIES OBJECT_DEPENDS "${steps}")
  add_library(${name} MODULE ${arg_SOURCES} ${stub})
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON LINK_DEPENDS ${SUMMA_PLUGIN_MAP})
  if(SUMMA_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${SUMMA_PLUGIN_OUTPUT_DIRECTORY})
  endif()
  target_link_libraries(${name} PRIVATE Summa::sdk)
  # The lowest host that the plugin needs stands in its manifest only; the entry repeats it.
  file(STRINGS ${manifest} abi REGEX "^abi:")
  if(abi MATCHES "[0-9]+\\.([0-9]+)")
    target_compile_definitions(${name} PRIVATE SUMMA_PLUGIN_ABI_MINOR=${CMAKE_MATCH_1})
  endif()
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,-z,nodelete -Wl,--exclude-libs,ALL
    -Wl,--version-script=${SUMMA_PLUGIN_MAP})
  # clang keeps the sanitizer runtime in the executable, where -z defs cannot see it.
  if(NOT (SUMMA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang"))
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()

function(summa_add_plugin_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PLUGIN;VERIFY_WITH" "SOURCES;LIBRARIES")
  if(NOT TARGET "${arg_PLUGIN}")
    message(FATAL_ERROR "summa_add_plugin_test(${name}): PLUGIN must name a plugin of summa_add_plugin()")
  endif()
  if(NOT TARGET Summa::testkit)
    message(FATAL_ERROR "summa_add_plugin_test(${name}): there is no Summa::testkit. It needs pkg-config and libpq \
(Debian: pkg-config, libpq-dev)")
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} Summa::testkit GTest::gmock GTest::gtest_main)
  add_dependencies(${name} ${arg_PLUGIN})
  set(host ${SUMMA_HOST_PROGRAM})
  if(TARGET summa-host)
    set(host $<TARGET_FILE:summa-host>)
  endif()
  set(directories $<TARGET_FILE_DIR:${arg_PLUGIN}>)
  if(SUMMA_SDK_TEST_PLUGINS)
    string(APPEND directories ":${SUMMA_SDK_TEST_PLUGINS}")
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set(tests ${name})
  # Once for each plugin: whether it keeps the contract.
  if(host AND NOT TEST ${arg_PLUGIN}.verify)
    set(configuration)
    if(arg_VERIFY_WITH)
      cmake_path(ABSOLUTE_PATH arg_VERIFY_WITH NORMALIZE)
      set(configuration -c ${arg_VERIFY_WITH})
    endif()
    add_test(NAME ${arg_PLUGIN}.verify COMMAND ${host} plugins verify $<TARGET_FILE:${arg_PLUGIN}> ${configuration})
    list(APPEND tests ${arg_PLUGIN}.verify)
  endif()
  # The limit ends what hangs; it says nothing about how long a test takes.
  set_tests_properties(${tests} PROPERTIES TIMEOUT 900
    ENVIRONMENT "SUMMA_HOST_PROGRAM=${host};SUMMA_PLUGIN_PATH=${directories}")
endfunction()
