# lib.sh - what the shell tests share. A test is a function; its name is a sentence.
set -uo pipefail

work="$(mktemp -d)"
children=()

# What a test has started ends with the test: `children` is its subshell's own.
end_children() {
  local child
  for child in ${children[@]+"${children[@]}"}; do
    kill -9 "$child" 2>/dev/null
  done
  wait 2>/dev/null
}
trap 'rm -rf "$work"' EXIT

fail() {
  echo "  FAILED: $*" >&2
  for log in "$work"/*.log; do
    [ -s "$log" ] && { echo "  --- $(basename "$log")" >&2; sed 's/^/  /' "$log" >&2; }
  done
  exit 1
}

# wait_until SECONDS COMMAND...
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    read -r -t 0.02 <> <(:) || true
  done
}

# run CODE COMMAND...: the exit code must be CODE; output is in $work/out.log and $work/err.log.
run() {
  local expected="$1" code=0
  shift
  timeout 30 "$@" >"$work/out.log" 2>"$work/err.log" || code=$?
  [ "$code" -eq "$expected" ] || fail "exit code $code instead of $expected: $*"
}

start() { # start NAME COMMAND...: in the background; its process id is in $started
  local name="$1"
  shift
  : >"$work/$name.log" # at once: what an earlier test wrote there must not be taken for this one's
  "$@" >>"$work/$name.log" 2>&1 &
  started=$!
  children+=("$started")
}

says() { grep -sqF -- "$2" "$work/$1.log"; }
expect() { says "$1" "$2" || fail "$1.log does not say: $2"; }
gone() { ! kill -0 "$1" 2>/dev/null; }

write() { mkdir -p "$(dirname "$work/$1")" && cat >"$work/$1"; }

# The first of COUNT ports in a row that nobody listens on, below the range of outgoing connections.
free_port() {
  local base port
  while :; do
    base=$((10000 + RANDOM % 20000))
    for ((port = base; port < base + ${1:-1}; port++)); do
      (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
    done
    echo "$base"
    return
  done
}

run_tests() {
  local test
  for test in "$@"; do
    echo "$test"
    (trap end_children EXIT; "$test") || exit 1
  done
}
