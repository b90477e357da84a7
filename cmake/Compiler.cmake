# What every target of ours is compiled with: one INTERFACE target, no global flags but asserts and
# the sanitizers (which must be the same everywhere).
add_library(summa_warnings INTERFACE)
target_compile_options(summa_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wcast-align -Wunused -Woverloaded-virtual
  -Wformat=2 -Wimplicit-fallthrough $<$<BOOL:${SUMMA_WARNINGS_AS_ERRORS}>:-Werror>)

# Where tests run, not in what ships and is measured: summa/assert.hpp. The same everywhere, as headers use it.
if(CMAKE_BUILD_TYPE STREQUAL "Dev" OR SUMMA_SANITIZE)
  add_compile_definitions(SUMMA_ASSERTS)
endif()

if(SUMMA_SANITIZE)
  add_compile_options(-fsanitize=${SUMMA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SUMMA_SANITIZE})
  # With sanitizers g++ 12 takes parts of its own <regex> and <optional> for uninitialised.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(summa_warnings INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()

# librdkafka uses the threads of C11, which ThreadSanitizer does not know.
if(SUMMA_SANITIZE STREQUAL "thread")
  add_library(summa_c11_threads SHARED ${CMAKE_SOURCE_DIR}/tests/sanitizer/c11_threads.c)
  link_libraries($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:summa_c11_threads>)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
