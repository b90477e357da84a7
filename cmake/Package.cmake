# The packages of `./dev package`: one for each component of Install.cmake, made by CPack. Configured with the prefix
# /usr (preset `package`), so that libraries are where Debian keeps them.
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  return()
endif()
set(debian ${CMAKE_SOURCE_DIR}/config/deploy/debian)
set(SUMMA_PACKAGE_CONTACT "The summa-host authors <summa-host@example.org>" CACHE STRING "Who answers for the packages")

# "1~deb12": a release of Debian is part of the version, so that an upgrade of the system replaces the packages.
file(STRINGS /etc/os-release os REGEX "^VERSION_ID=")
string(REGEX REPLACE "[^0-9]" "" os "${os}")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
if(os)
  set(CPACK_DEBIAN_PACKAGE_RELEASE 1~deb${os})
endif()
set(same "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")

# What Debian wants to find in every package.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH, when it is set
foreach(part host plugins sdk)
  set(package summa-host-plugins)
  if(NOT part STREQUAL plugins)
    set(package summa-${part})
  endif()
  set(folder ${CMAKE_BINARY_DIR}/install/${package})
  file(CONFIGURE OUTPUT ${folder}/changelog.Debian CONTENT [[
@package@ (@PROJECT_VERSION@-@CPACK_DEBIAN_PACKAGE_RELEASE@) unstable; urgency=medium

  * Release @PROJECT_VERSION@; changelog.gz says what has changed.

 -- @SUMMA_PACKAGE_CONTACT@  @now@
]] @ONLY)
  configure_file(${CMAKE_SOURCE_DIR}/CHANGELOG.md ${folder}/changelog COPYONLY)
  foreach(file changelog changelog.Debian)
    execute_process(COMMAND gzip -9nf ${folder}/${file} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  install(FILES ${folder}/changelog.gz ${folder}/changelog.Debian.gz ${debian}/copyright
    DESTINATION share/doc/${package} COMPONENT ${part})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME summa-host)
set(CPACK_PACKAGE_VENDOR "The summa-host authors")
set(CPACK_PACKAGE_CONTACT ${SUMMA_PACKAGE_CONTACT})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL host plugins sdk)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SECTION database)

set(CPACK_DEBIAN_HOST_PACKAGE_NAME summa-host)
set(CPACK_DEBIAN_HOST_DESCRIPTION "background work of a Summa ledger
summa-host runs the workers of plugins under leases, against one PostgreSQL
database that any number of hosts may share. Without plugins it answers the
probes and does nothing.
.
This package has the program, its service (which is not enabled), and the
completions for bash and zsh.")
set(CPACK_DEBIAN_HOST_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_HOST_PACKAGE_RECOMMENDS "summa-host-plugins ${same}")
set(CPACK_DEBIAN_HOST_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)

set(CPACK_DEBIAN_PLUGINS_PACKAGE_NAME summa-host-plugins)
set(CPACK_DEBIAN_PLUGINS_DESCRIPTION "plugins of summa-host
The plugins that belong to summa-host: delivery of the outbox, verification of
the ledger, maintenance of its tables, read models, and buses. Each is off
until the configuration names it.")
set(CPACK_DEBIAN_PLUGINS_PACKAGE_DEPENDS "summa-host ${same}")

set(CPACK_DEBIAN_SDK_PACKAGE_NAME summa-sdk)
set(CPACK_DEBIAN_SDK_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_SDK_DESCRIPTION "development files for plugins of summa-host
Headers of the C ABI and of the C++20 classes over it, the libraries for
consumers, buses, ledgers and tests, the functions for CMake, and
summa-sandbox, which makes a private PostgreSQL with a new ledger.
.
A plugin in C needs the headers only. `summa-host plugins new` writes the
project of a new plugin.")
# What the static libraries need when they are linked.
set(CPACK_DEBIAN_SDK_PACKAGE_DEPENDS "libpq-dev, libsimdjson-dev, libssl-dev, pkg-config")
# What `plugins new` and its three commands need.
set(CPACK_DEBIAN_SDK_PACKAGE_RECOMMENDS
  "summa-host ${same}, summa-host-plugins ${same}, cmake, g++, libgmock-dev, make | ninja-build")
set(CPACK_DEBIAN_SDK_PACKAGE_SUGGESTS "postgresql")
include(CPack)
