#!/usr/bin/env bash
# Who may include what. Each library of others stays behind one folder, so that it can be replaced there; our own
# rooms stand on floors (tests/floors.txt). Prints every place that breaks a rule and exits 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# header pattern | folders that may include it (tests may include what they assert with)
rules='
yaml-cpp/                       | host/config
boost/                          | host/plugin
libpq-fe\.h|postgresql/         | host/database sdk/src/testkit tests
prometheus/                     | host/observe
microhttpd\.h                   | host/http
zlib\.h                         | host/http plugins/maintenance tests
CLI/                            | host/cli
curl/                           | host/cli
simdjson\.h                     | host/abi host/cli plugins/bus-kafka plugins/bus-redis plugins/outbox plugins/projections sdk/src tests
hiredis/                        | plugins/bus-redis tests
librdkafka/                     | plugins/bus-kafka tests
openssl/                        | sdk/src plugins/bus-redis plugins/bus-kafka tests
gtest/|gmock/                   | tests sdk/templates
benchmark/                      | tests
'
failures=0
while IFS='|' read -r line; do
  [ -n "${line// /}" ] || continue
  pattern=$(printf '%s' "${line%|*}" | sed 's/ *$//')
  folders=$(sed "s/^ *//" <<<"${line##*|}")
  while IFS=: read -r file number text; do
    [ -n "$file" ] || continue
    allowed=no
    for folder in $folders; do
      case "$file" in "$folder"/*) allowed=yes ;; esac
    done
    if [ $allowed = no ]; then
      echo "$file:$number: $text  -- only $folders may include this"
      failures=1
    fi
  done < <(grep -rnE "^ *# *include *[<\"]($pattern)" --include='*.hpp' --include='*.cpp' --include='*.h' \
             host sdk plugins tests 2>/dev/null | grep -v '/embedded/' || true)
done <<<"$rules"

# Rooms include nothing above them; plugins see the SDK and their own rooms only.
tests/include_floors || failures=1

tests/standard_headers || failures=1

[ $failures = 0 ] && echo "include rules: ok"
exit $failures
