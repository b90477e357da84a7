#!/usr/bin/env bash
# ./dev check: format, include rules, headers, what mutexes guard, the C ABI, what must not be in the project, static analysis.
# Usage: tests/check.sh BUILD_DIRECTORY [--no-tidy]
set -euo pipefail
build=$1
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.hpp' '*.cpp' '*.h')
clang-format --dry-run --Werror "${sources[@]}" && echo "format: ok" || status=1
tests/include_rules.sh || status=1
tests/compile_headers "$build" || status=1
tests/thread_safety "$build" || status=1
tests/abi/compare_abi || status=1

if git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.cpp' '*.hpp' '*.h' '*.sql' '*.sh' 'CMakeLists.txt' ':!tests/check.sh'; then
  echo "unfinished places: see above"
  status=1
fi

if [ "${2:-}" != --no-tidy ]; then
  # clang-tidy reads the commands of g++, and does not know every word of it.
  commands=$(mktemp -d)
  trap 'rm -rf "$commands"' EXIT
  sed 's/ -fno-gnu-unique//g' "$build/compile_commands.json" >"$commands/compile_commands.json"
  mapfile -t units < <(git ls-files 'host/*.cpp' 'plugins/*.cpp' 'sdk/src/*.cpp')
  printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p "$commands" --quiet 2>/dev/null && echo "clang-tidy: ok" || status=1
fi
exit $status
