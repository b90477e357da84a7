#!/usr/bin/env bash
# tests/include_rules.sh finds what it says it finds: a tiny tree of our own, with one wrong include at a time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

file() { # path, line...
  mkdir -p "$tree/$(dirname "$1")"
  printf '%s\n' "${@:2}" >"$tree/$1"
}

new_tree() {
  rm -rf "${tree:?}"/*
  mkdir "$tree/tests"
  cp "$here"/{include_rules.sh,include_floors,standard_headers,floors.txt} "$tree/tests/"
  file host/error.hpp '#pragma once'
  file host/config/schema.hpp '#pragma once' '#include "host/error.hpp"'
  file host/observe/log.hpp '#pragma once'
  file host/plugin/manifest.hpp '#pragma once' '#include "host/config/schema.hpp"'
  file sdk/include/summa/sql.hpp '#pragma once'
  file plugins/outbox/row.hpp '#pragma once' '#include "summa/sql.hpp"' '#include "outbox_sql.hpp"'
  file plugins/outbox/CMakeLists.txt 'summa_embed_text(outbox_core outbox_sql.hpp)'
  file plugins/bus-redis/reply.hpp '#pragma once'
}

expect() { # name of the case, what the script must print, or nothing: it must succeed
  local output status=0
  output=$("$tree/tests/include_rules.sh" 2>&1) || status=$?
  if [ -z "$2" ] && [ $status = 0 ]; then return; fi
  if [ -n "$2" ] && [ $status = 1 ] && [ "$(grep -cF -- "$2" <<<"$output")" = 1 ]; then return; fi
  printf '%s: exit status %s, expected: %s\n%s\n' "$1" $status "${2:-success}" "$output"
  failures=1
}

new_tree
expect 'a tree in order' ''

new_tree
file host/config/text.hpp '#pragma once' '#include "host/plugin/manifest.hpp"'
expect 'a room above' \
  'host/config/text.hpp:2: host/config must not include host/plugin, which is above it (host/plugin/manifest.hpp)'

new_tree
file host/config/text.hpp '#pragma once' '#include "host/observe/log.hpp"'
expect 'a room of the same floor' \
  'host/config/text.hpp:2: host/config must not include host/observe, which is beside it (host/observe/log.hpp)'

new_tree
file host/attic/box.hpp '#pragma once'
expect 'a room on no floor' 'host/attic/box.hpp is in no room of tests/floors.txt'

new_tree
file plugins/outbox/table.hpp '#pragma once' '#include "host/error.hpp"'
expect 'a plugin that knows the host' 'plugins/outbox/table.hpp:2: plugins must not include host (host/error.hpp)'

new_tree
file plugins/outbox/table.hpp '#pragma once' '#include "../bus-redis/reply.hpp"'
expect 'a plugin that knows another' \
  'plugins/outbox/table.hpp:2: plugins/outbox must not include plugins/bus-redis, which is beside it (plugins/bus-redis/reply.hpp)'

new_tree
file plugins/outbox/table.hpp '#pragma once' '#include "nowhere.hpp"'
expect 'a header that is nowhere' \
  'plugins/outbox/table.hpp:2: "nowhere.hpp" is in no room, and no CMakeLists.txt around makes it'

new_tree
file sdk/include/summa/sql.hpp '#pragma once' '#include "host/error.hpp"'
expect 'the SDK that knows the host' 'sdk/include/summa/sql.hpp:2: sdk must not include host (host/error.hpp)'

new_tree
file host/plugin/graph.hpp '#pragma once' '#include <yaml-cpp/yaml.h>'
expect 'a library outside its folder' \
  'host/plugin/graph.hpp:2: #include <yaml-cpp/yaml.h>  -- only host/config may include this'

exit $failures
