#!/usr/bin/env bash
# systemd accepts config/deploy/summa-host.service, and stopping has more time than the host takes.
# usage: tests/systemd_unit.sh SUMMA-HOST; ends with 77 (skipped) where there is no systemd-analyze
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unit=$root/config/deploy/summa-host.service
command -v systemd-analyze > /dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The program of this build and a user that is there, in their place.
sed "s|^ExecStart=/usr/bin/summa-host|ExecStart=$(realpath "$1")|; s|^User=.*|User=$(id -un)|" "$unit" \
  > "$work/summa-host.service"
systemd-analyze verify --man=no --recursive-errors=no "$work/summa-host.service" 2> "$work/said"
if [ -s "$work/said" ]; then
  cat "$work/said"
  exit 1
fi
stop=$(sed -n 's/^TimeoutStopSec=\([0-9]*\)s$/\1/p' "$unit")
drain=$(sed -n '/drain_timeout:/,/default:/s/.*default: \([0-9]*\)s$/\1/p' "$root/host/settings/host-schema.yaml")
if [ "$stop" -lt $((drain * 2)) ]; then
  echo "TimeoutStopSec=${stop}s is too near to drain_timeout (${drain}s)"
  exit 1
fi
