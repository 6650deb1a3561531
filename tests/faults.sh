#!/usr/bin/env bash
# Three silos, a PostgreSQL and clients, with faults of every kind befalling them; then every fact is counted. For example
#   tests/faults.sh --seed 1 --minutes 10
# --help tells the other options. The last line is "N operations, N faults, N unknown, N violations"; the exit code is 0 only without a violation.
# As root on Debian it installs what some faults need (PostgreSQL's programs, libfaketime), and a full disk is a small one of its own; without those it says which faults it leaves out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly program=tests/Orleans.EventSourced.Faults
if [[ ${1:-} != --no-build ]]; then
  DOTNET_NOLOGO=1 dotnet build -c Release --nologo -v quiet --disable-build-servers "$program" </dev/null >&2
else
  shift
fi

if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null && ! compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends libfaketime; } >&2 || echo "faults.sh: libfaketime cannot be installed; no clock is put ahead." >&2
fi

exec "$program/bin/Release/net10.0/Orleans.EventSourced.Faults" "$@"
