#!/bin/sh
# compile_headers.sh CC CXX INCLUDE_DIRECTORY: every header of the C ABI alone, and all together, in
# every standard.
set -eu
cc=$1 cxx=$2 include=$3
flags="-fsyntax-only -Wall -Wextra -Wpedantic -Werror -I$include"
count=0
all=
for header in "$include"/summa/abi/*.h; do
  name=summa/abi/$(basename "$header")
  all="$all#include <$name>
"
done
check() { # LANGUAGE STANDARD TEXT
  compiler=$cc
  if [ "$1" = c++ ]; then compiler=$cxx; fi
  printf '%s\nint summa_header_test(void);\n' "$3" | "$compiler" $flags "-std=$2" -x "$1" - || {
    printf 'does not compile as %s:\n%s\n' "$2" "$3" >&2
    exit 1
  }
  count=$((count + 1))
}
for standard in c11 c17 c++17 c++20; do
  case $standard in c++*) language=c++ ;; *) language=c ;; esac
  for header in "$include"/summa/abi/*.h; do
    check $language $standard "#include <summa/abi/$(basename "$header")>"
  done
  check $language $standard "$all"
done
echo "$count compilations without a warning"
