# What `cmake --install build` installs, in three components: host, plugins, sdk. The packages of `./dev package` are
# these components. Nothing that is installed names a path of this tree.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME host)

set(plugin_directory lib/summa/plugins)   # where a host looks, beside its bin
set(testkit_directory lib/summa/testkit)
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/SummaSDK)
# A system has one /etc. Any other prefix has its own, which its host does not read by itself.
set(configuration_directory etc)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(configuration_directory /etc)
endif()

install(TARGETS summa-host RUNTIME DESTINATION bin COMPONENT host)
# Debian wants manual pages compressed, and everybody reads them so.
foreach(page summa-host summa-sandbox)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/config/deploy/man/${page}.1)
  configure_file(${CMAKE_SOURCE_DIR}/config/deploy/man/${page}.1 ${CMAKE_BINARY_DIR}/install/${page}.1 COPYONLY)
  execute_process(COMMAND gzip -9nf ${CMAKE_BINARY_DIR}/install/${page}.1 COMMAND_ERROR_IS_FATAL ANY)
endforeach()
install(FILES ${CMAKE_BINARY_DIR}/install/summa-host.1.gz DESTINATION share/man/man1 COMPONENT host)
install(FILES ${CMAKE_BINARY_DIR}/install/summa-sandbox.1.gz DESTINATION share/man/man1 COMPONENT sdk)
install(FILES ${CMAKE_SOURCE_DIR}/config/deploy/completion/summa-host.bash RENAME summa-host
  DESTINATION share/bash-completion/completions COMPONENT host)
install(FILES ${CMAKE_SOURCE_DIR}/config/deploy/completion/summa-host.zsh RENAME _summa-host
  DESTINATION share/zsh/vendor-completions COMPONENT host)
install(FILES ${CMAKE_SOURCE_DIR}/config/deploy/summa-host.service DESTINATION lib/systemd/system COMPONENT host)
install(FILES ${CMAKE_SOURCE_DIR}/config/summa.yaml DESTINATION ${configuration_directory}/summa COMPONENT host)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/config/examples ${CMAKE_SOURCE_DIR}/config/observability
  ${CMAKE_SOURCE_DIR}/config/schema DESTINATION share/doc/summa-host COMPONENT host)

install(TARGETS ${SUMMA_PLUGINS} LIBRARY DESTINATION ${plugin_directory} COMPONENT plugins)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/sdk/include/summa DESTINATION include COMPONENT sdk)
install(TARGETS summa_sdk summa_consumer summa_bus_plugin summa_conformance EXPORT SummaSDK
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
install(TARGETS summa_ledger EXPORT SummaSDKLedger ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
install(TARGETS summa_testkit EXPORT SummaSDKTestkit ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
install(TARGETS summa-sandbox RUNTIME DESTINATION bin COMPONENT sdk)
install(TARGETS summa_bus_memory LIBRARY DESTINATION ${testkit_directory} COMPONENT sdk)
# One file for each group of libraries with the same needs: what a machine lacks then costs these targets only.
foreach(group "" Ledger Testkit)
  install(EXPORT SummaSDK${group} FILE SummaSDK${group}Targets.cmake NAMESPACE Summa::
    DESTINATION ${package_directory} COMPONENT sdk)
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/install/SummaSDKPlaces.cmake.in [[
@PACKAGE_INIT@
# Where the rest of the same installation is.
set(SUMMA_SDK_PROGRAMS "@PACKAGE_SUMMA_SDK_PROGRAMS@")
set(SUMMA_SDK_TEST_PLUGINS "@PACKAGE_SUMMA_SDK_TEST_PLUGINS@")
]])
set(SUMMA_SDK_PROGRAMS bin)
set(SUMMA_SDK_TEST_PLUGINS ${testkit_directory})
configure_package_config_file(${CMAKE_BINARY_DIR}/install/SummaSDKPlaces.cmake.in
  ${CMAKE_BINARY_DIR}/install/SummaSDKPlaces.cmake INSTALL_DESTINATION ${package_directory}
  PATH_VARS SUMMA_SDK_PROGRAMS SUMMA_SDK_TEST_PLUGINS NO_CHECK_REQUIRED_COMPONENTS_MACRO)
install(FILES ${CMAKE_SOURCE_DIR}/sdk/cmake/SummaSDKConfig.cmake
  ${CMAKE_SOURCE_DIR}/sdk/cmake/SummaSDKConfigVersion.cmake ${CMAKE_SOURCE_DIR}/sdk/cmake/SummaAddPlugin.cmake
  ${CMAKE_SOURCE_DIR}/sdk/cmake/plugin.map ${CMAKE_BINARY_DIR}/install/SummaSDKPlaces.cmake
  DESTINATION ${package_directory} COMPONENT sdk)

# Of static libraries, `--strip` leaves what a linker needs.
install(CODE [[
  if(CMAKE_INSTALL_DO_STRIP)
    file(GLOB_RECURSE libraries "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/*libsumma_*.a")
    foreach(library ${libraries})
      execute_process(COMMAND strip --strip-debug ${library} COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
  endif()
]] COMPONENT sdk)

# For builds without CMake: the headers, and what a plugin is linked with. Relative to the file, so that a prefix may move.
file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/install/summa-sdk.pc CONTENT [[
prefix=${pcfiledir}/@to_prefix@
includedir=${prefix}/include
plugindir=${prefix}/@plugin_directory@
version_script=${prefix}/@package_directory@/plugin.map

Name: summa-sdk
Description: Headers for plugins of summa-host
Version: @PROJECT_VERSION@
Cflags: -I${includedir}
]] @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/install/summa-sdk.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT sdk)
