#!/usr/bin/env bash
# The table of README.md and the cases of the suite say the same. Ends with 1 when they do not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cases=$(sed -nE 's/^TEST_P\([A-Za-z]+, ([A-Za-z0-9]+)\).*/\1/p' ./*_test.cpp | sort)
named=$(grep -oE '`[A-Z][A-Za-z0-9]{12,}`' README.md | tr -d '`' | sort -u)
if [ -z "$cases" ]; then
  echo "error: no case was found" >&2
  exit 1
fi
if ! diff <(echo "$cases") <(echo "$named"); then
  echo "error: < are cases that tests/bus/README.md does not name, > names without a case" >&2
  exit 1
fi
echo "$(echo "$cases" | wc -l) cases"
