# summa_embed_text(target header.hpp namespace [name file]...)
#
# Makes text files (SQL, YAML) part of a target: generates header.hpp with one `std::string_view` per file
# in the given namespace. A changed file is compiled in by the next build.
function(summa_embed_text target header namespace)
  set(body "#pragma once\n#include <string_view>\n\nnamespace ${namespace} {\n// NOLINTBEGIN: named as the files are\n")
  set(rest ${ARGN})
  while(rest)
    list(POP_FRONT rest name file)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(APPEND body "inline constexpr std::string_view ${name} = R\"summa_text(${text})summa_text\";\n")
  endwhile()
  string(APPEND body "// NOLINTEND\n} // namespace ${namespace}\n")
  set(directory ${CMAKE_CURRENT_BINARY_DIR}/embedded/${target})
  file(CONFIGURE OUTPUT ${directory}/${header} CONTENT "@body@" @ONLY)
  target_include_directories(${target} PRIVATE ${directory})
endfunction()
