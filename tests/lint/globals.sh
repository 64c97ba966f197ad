#!/bin/sh
# globals.sh LIB.a ... - no mutable globals: no object of the core has a byte in .data or .bss (constants with addresses in
# them are in .data.rel.ro and fine).
set -u
bad=0
for lib in "$@"; do
    found=$(readelf -SW "$lib" 2>/dev/null | awk '
        /^File:/ { file = $2 }
        {
            line = $0
            sub(/^ *\[ *[0-9]+\] */, "", line)
            n = split(line, f, " ")
            name = f[1]
            if (name ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && name !~ /^\.data\.rel\.ro/ && f[5] !~ /^0+$/)
                print file ": " name " of 0x" f[5] " bytes"
        }')
    if [ -n "$found" ]; then
        echo "$found"
        bad=1
    fi
done
[ "$bad" = 0 ] && echo "globals: none"
exit "$bad"
