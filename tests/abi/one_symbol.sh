#!/bin/sh
# one_symbol.sh NM PLUGIN...: every plugin exports summa_plugin_v1 and nothing else.
set -eu
nm=$1
shift
for plugin in "$@"; do
  symbols=$("$nm" --dynamic --defined-only --format=posix "$plugin" | cut -d' ' -f1)
  if [ "$symbols" != summa_plugin_v1 ]; then
    printf '%s exports:\n%s\nneeded: only summa_plugin_v1\n' "$plugin" "$symbols" >&2
    exit 1
  fi
  echo "$plugin exports only summa_plugin_v1"
done
