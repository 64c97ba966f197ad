#!/bin/sh
# headers.sh CC SOURCE_DIR FLAGS... - every header of the core compiles alone, and the public one also as C++.
set -u
cc=$1
src=$2
shift 2
bad=0
count=0
for header in "$src"/core/*/*.h; do
    name=${header#"$src"/core/}
    if ! printf '#include "%s"\n' "$name" | "$cc" -std=c11 -D_GNU_SOURCE -I"$src/core" -I"$src/core/include" "$@" \
        -Wall -Wextra -Werror -fsyntax-only -x c -; then
        echo "core/$name does not compile alone"
        bad=1
    fi
    count=$((count + 1))
done
if command -v c++ >/dev/null 2>&1; then
    if ! printf '#include "dozor.h"\n' | c++ -std=c++11 -I"$src/core/include" -Wall -Wextra -Werror -fsyntax-only -x c++ -; then
        echo "dozor.h does not compile as C++"
        bad=1
    fi
fi
[ "$bad" = 0 ] && echo "headers: $count compile alone"
exit "$bad"
