#!/usr/bin/env bash
# The table of README.md and the cases of the suite say the same, also of what each case needs. Ends with 1 when they
# do not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# "CASE needs": from NEEDS(...) in the first line of the case, or nothing for the core.
cases=$(awk '
  /^TEST_P\(/ { if (name) print name, "core"; name = $2; sub(/\).*/, "", name); next }
  name {
    needs = "core"
    if ($1 ~ /^NEEDS\(/) {
      needs = $0
      gsub(/^ *NEEDS\(|\);$|SUMMA_BUS_/, "", needs)
      gsub(/ *\| */, ",", needs)
      gsub(/_/, " ", needs)
      needs = tolower(needs)
    }
    print name, needs
    name = ""
  }' ./*_test.cpp | sort)
named=$(awk -F ' *\\| *' '
  /^\|/ {
    needs = $4
    gsub(/, /, ",", needs)
    rest = $3
    while (match(rest, /`[A-Z][A-Za-z0-9]+`/)) {
      name = substr(rest, RSTART + 1, RLENGTH - 2)
      if (length(name) > 12) print name, needs
      rest = substr(rest, RSTART + RLENGTH)
    }
  }' README.md | sort -u)
if [ -z "$cases" ]; then
  echo "error: no case was found" >&2
  exit 1
fi
if ! diff <(echo "$cases") <(echo "$named"); then
  echo "error: < are cases that tests/bus/README.md does not name so, > names without such a case" >&2
  exit 1
fi
echo "$(echo "$cases" | wc -l) cases"
