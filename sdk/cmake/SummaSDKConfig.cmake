# find_package(SummaSDK): the targets Summa::sdk, Summa::consumer, Summa::bus_plugin, Summa::conformance, Summa::ledger
# and Summa::testkit, and the functions summa_add_plugin() and summa_add_plugin_test(). COMPONENTS consumer, ledger,
# testkit, ... says which of them must be there: Summa::ledger needs OpenSSL and simdjson, Summa::testkit needs libpq and
# pkg-config.
#
# One file for both places: where the SDK is installed, it reads the targets beside it; in the folder sdk/ of a checkout,
# it builds them with the project.
get_property(summa_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if(NOT "ASM" IN_LIST summa_languages)
  enable_language(ASM) # the manifest is a section of a plugin
endif()
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/SummaSDKTargets.cmake)
  find_package(Threads QUIET)
  include(${CMAKE_CURRENT_LIST_DIR}/SummaSDKTargets.cmake)
  find_package(OpenSSL QUIET)
  find_package(simdjson QUIET)
  if(OpenSSL_FOUND AND simdjson_FOUND AND EXISTS ${CMAKE_CURRENT_LIST_DIR}/SummaSDKLedgerTargets.cmake)
    include(${CMAKE_CURRENT_LIST_DIR}/SummaSDKLedgerTargets.cmake)
  endif()
  if(NOT TARGET PkgConfig::libpq)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(libpq QUIET IMPORTED_TARGET libpq)
    endif()
  endif()
  if(TARGET PkgConfig::libpq AND EXISTS ${CMAKE_CURRENT_LIST_DIR}/SummaSDKTestkitTargets.cmake)
    include(${CMAKE_CURRENT_LIST_DIR}/SummaSDKTestkitTargets.cmake)
  endif()
  include(${CMAKE_CURRENT_LIST_DIR}/SummaSDKPlaces.cmake)
  include(${CMAKE_CURRENT_LIST_DIR}/SummaAddPlugin.cmake)
elseif(NOT TARGET Summa::sdk)
  add_subdirectory(${CMAKE_CURRENT_LIST_DIR}/.. summa-sdk)
endif()
# Where the project knows no C++, the C ABI is what remains.
if(NOT "CXX" IN_LIST summa_languages AND NOT TARGET summa_sdk)
  set_property(TARGET Summa::sdk PROPERTY INTERFACE_COMPILE_FEATURES)
endif()

# The program that tests run; an installed one of the same prefix before others.
if(NOT SUMMA_HOST_PROGRAM AND NOT TARGET summa-host)
  find_program(SUMMA_HOST_PROGRAM summa-host HINTS ${SUMMA_SDK_PROGRAMS})
endif()
foreach(part ${SummaSDK_FIND_COMPONENTS})
  set(SummaSDK_${part}_FOUND FALSE)
  if(TARGET Summa::${part})
    set(SummaSDK_${part}_FOUND TRUE)
  elseif(SummaSDK_FIND_REQUIRED_${part})
    set(SummaSDK_FOUND FALSE)
    set(SummaSDK_NOT_FOUND_MESSAGE "Summa::${part} is missing. Summa::ledger needs OpenSSL and simdjson \
(Debian: libssl-dev, libsimdjson-dev); Summa::testkit needs pkg-config and libpq (pkg-config, libpq-dev)")
  endif()
endforeach()
unset(summa_languages)
