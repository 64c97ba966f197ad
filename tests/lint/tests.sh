#!/bin/sh
# tests.sh SOURCE_DIR - every file of the core has its unit tests: core/LAYER/FILE.c is mirrored by
# tests/unit/LAYER/test_FILE.c, which is registered in tests.cmake beside it. host/main.c is only main(); what the build's tool
# vm/embed_compile.c writes is looked at by test_vm.c.
set -u
cd "$1" || exit 2
bad=0
count=0
for file in core/*/*.c; do
    layer=$(basename "$(dirname "$file")")
    name=$(basename "$file" .c)
    test=tests/unit/$layer/test_$name.c
    [ "$layer/$name" = host/main ] || [ "$layer/$name" = vm/embed_compile ] && continue
    if [ ! -f "$test" ]; then
        echo "$file has no $test"
        bad=1
    elif ! grep -qE "(^|[ (])$name([ )]|\$)" "tests/unit/$layer/tests.cmake"; then
        echo "$test is not registered in tests/unit/$layer/tests.cmake"
        bad=1
    fi
    count=$((count + 1))
done
[ "$bad" = 0 ] && echo "tests: $count files of the core have theirs"
exit "$bad"
