#!/usr/bin/env bash
# Builds the solution, checks the formatting and runs every test project. Arguments are passed to the test programs, for example
#   ./test.sh -class '*PostgresServerTests'
# The last line is always "N passed, N failed, N skipped"; the exit code is 0 only when everything was built and nothing failed.
# The tests need a PostgreSQL server: EVENTSOURCED_TEST_POSTGRES, or the machine's own programs, or Docker; on Debian root gets it installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly results=artifacts/test-results
readonly time_limit=${EVENTSOURCED_TEST_TIMEOUT:-20m}
passed=0
failed=0
skipped=0
finished=no

finish() {
  local exit_code=$?
  if [[ $finished == no ]]; then
    failed=$((failed + 1))
  fi
  if ((exit_code == 0 && failed > 0)); then
    exit_code=1
  fi
  echo "$passed passed, $failed failed, $skipped skipped"
  exit "$exit_code"
}
trap finish EXIT

fail() {
  echo "test.sh: $*" >&2
  exit 1
}

step() {
  printf '\n== %s (%s s)\n' "$*" "$SECONDS"
}

has_postgres() {
  local folder
  if [[ -n ${EVENTSOURCED_TEST_POSTGRES:-} ]] || { command -v initdb && command -v postgres; } >/dev/null; then
    return 0
  fi
  for folder in /usr/lib/postgresql/*/bin; do
    if [[ -x $folder/initdb && -x $folder/postgres ]]; then
      return 0
    fi
  done
  return 1
}

# Installs the server's programs only: the distribution's own cluster is neither created nor started.
install_postgres() {
  local settings=/etc/postgresql-common/createcluster.conf package
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q || return 1
  apt-get install -qy --no-install-recommends postgresql-common || return 1
  sed -i -E 's/^[[:space:]]*#?[[:space:]]*create_main_cluster[[:space:]]*=.*/create_main_cluster = false/' "$settings" || return 1
  grep -q '^create_main_cluster = false' "$settings" || echo 'create_main_cluster = false' >>"$settings"
  package=$(apt-cache search --names-only '^postgresql-[0-9]+$' | sort -t- -k2 -n | tail -n 1 | cut -d' ' -f1)
  [[ -n $package ]] && apt-get install -qy --no-install-recommends "$package"
}

ensure_postgres() {
  if has_postgres; then
    return
  fi
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    step "Installing PostgreSQL's server programs"
    if install_postgres && has_postgres; then
      return
    fi
  fi
  if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    return
  fi
  fail "no PostgreSQL: install its server (initdb, postgres), start Docker, or set EVENTSOURCED_TEST_POSTGRES to a connection string."
}

# The sum of one attribute over the <assembly> elements of an xunit result file.
count() {
  local sum=0 value
  for value in $(grep -o '<assembly [^>]*>' "$2" | sed -nE "s/.* $1=\"([0-9]+)\".*/\1/p"); do
    sum=$((sum + value))
  done
  echo "$sum"
}

run_tests() {
  local name=$1 program=tests/$1/bin/Release/net10.0/$1 file=$results/$1.xml exit_code=0 bad=0
  shift
  step "$name"
  # Interrupted, a program still says which tests it had done, and which ones were under way.
  timeout --foreground --signal=INT --kill-after=30s "$time_limit" "$program" -noLogo -noColor -longRunning 60 -result-xml "$file" "$@" </dev/null || exit_code=$?
  if [[ -s $file ]]; then
    passed=$((passed + $(count passed "$file")))
    skipped=$((skipped + $(count skipped "$file")))
    bad=$(($(count failed "$file") + $(count errors "$file")))
  fi
  if ((exit_code == 124 || exit_code == 137)); then
    echo "test.sh: $name was over the limit of $time_limit" >&2
    bad=$((bad + 1))
  elif ((exit_code != 0 && bad == 0)); then
    echo "test.sh: $name ended with exit code $exit_code and no failed test" >&2
    bad=1
  fi
  failed=$((failed + bad))
}

# Most processes that the tests start live for seconds: what they would measure to compile code better later would cost them more.
export DOTNET_TieredPGO=0
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1
command -v dotnet >/dev/null || fail "the .NET 10 SDK is not installed (dotnet is not on the PATH)."
ensure_postgres

step "Building"
dotnet build -c Release --nologo --disable-build-servers </dev/null
step "Checking the format"
dotnet format whitespace --no-restore --verify-no-changes </dev/null
dotnet format style --no-restore --verify-no-changes </dev/null

rm -rf "$results"
mkdir -p "$results"
for project in tests/*Tests/*.csproj; do
  run_tests "$(basename "$project" .csproj)" "$@"
done

step "Done"
if ((passed + failed == 0)); then
  fail "no test ran."
fi
finished=yes
