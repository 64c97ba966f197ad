#!/usr/bin/env bash
# compare_up.sh DOZOR CONFIG EXPECTED - the cluster ends by itself with exit code 0 and its nodes print exactly what is expected.
source "$(dirname "${BASH_SOURCE[0]}")/../integration/lib.sh"

DOZOR_PORT_BASE="$(free_port 3)"
export DOZOR_PORT_BASE
run 0 "$1" up --log-level off "$2"
diff "$work/out.log" "$3" || fail "it printed something else than $3"
