#!/bin/sh
# layers.sh SOURCE_DIR - the rule of the house: a folder of core/ includes itself and what stands left of it;
# sched, sup and net do not see each other; lua.h, uv.h and OpenSSL are let in where ARCHITECTURE.md says and nowhere else.
set -u
cd "$1/core" || exit 2
bad=$(mktemp) || exit 2
trap 'rm -f "$bad"' EXIT

allowed() {
    case $1 in
    base) echo "base" ;;
    term) echo "base term" ;;
    proc) echo "base term proc" ;;
    sched) echo "base term proc sched" ;;
    sup) echo "base term proc sup" ;;
    net) echo "base term proc net" ;;
    cluster) echo "base term proc sched sup net cluster" ;;
    sim) echo "base term proc net sim" ;;
    vm) echo "base term proc sched sup net cluster vm" ;;
    host) echo "base term proc sched sup net cluster sim vm host" ;;
    *) echo "" ;;
    esac
}

# Includes of our own: "folder/file.h".
for layer in base term proc sched sup net cluster sim vm host; do
    [ -d "$layer" ] || continue
    may=" $(allowed "$layer") "
    grep -nE '^#include "[a-z_]+/' "$layer"/*.c "$layer"/*.h 2>/dev/null |
        while IFS= read -r line; do
            other=$(printf '%s' "$line" | sed -E 's/.*#include "([a-z_]+)\/.*/\1/')
            case $may in
            *" $other "*) ;;
            *) echo "core/$line: $layer may not include $other" >>"$bad" ;;
            esac
        done
done

# Foreign headers and the only places that may see them.
foreign() {
    pattern=$1
    where=$2
    grep -nE "^#include <$pattern" ./*/*.c ./*/*.h 2>/dev/null |
        grep -vE "^\./($where)" | sed "s|^\./|core/|; s|\$|: not let in here|" >>"$bad"
}
foreign '(lua|lauxlib|lualib|luajit|luv)' 'vm/'
foreign 'uv\.h' 'sched/|net/transport_uv|vm/bind_uv\.|host/'
foreign 'openssl' 'net/tls\.|vm/behavior'

if [ -s "$bad" ]; then
    cat "$bad"
    exit 1
fi
echo "layers: every include points left"
