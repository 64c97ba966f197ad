#!/usr/bin/env bash
# embed.sh BUILD_DIR SOURCE_DIR CC CMAKE CFLAGS - the embedding example, built against the installed copy and run.
build="$1" source="$2" cc="$3" cmake="$4" cflags="$5"
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

expected='the Lua child got 12 bytes
the sum is 105
the crash answered: call_failed
after the restart the sum is 100 again
processes left: 0'

the_installed_copy_is_complete() {
  run 0 "$cmake" --install "$build" --prefix "$work/prefix"
  run 0 "$work/prefix/bin/dozor" --version
  [ -f "$work/prefix/include/dozor.h" ] || fail "dozor.h is not installed"
}

the_example_builds_with_pkg_config_and_runs() {
  pc="$(dirname "$(find "$work/prefix" -name dozor.pc)")"
  # shellcheck disable=SC2046,SC2086
  run 0 "$cc" -std=c11 -Wall -Wextra -Werror $cflags "$source/examples/embed/main.c" \
    $(PKG_CONFIG_PATH="$pc" pkg-config --cflags --libs dozor) -Wl,-rpath,"$(dirname "$pc")" -o "$work/embed"
  run 0 "$work/embed" "$source/examples/embed"
  [ "$(cat "$work/out.log")" = "$expected" ] || fail "the output is another one"
}

the_header_is_cplusplus_too() {
  command -v c++ >/dev/null || return 0
  write use.cc <<<'#include <dozor.h>
int main() { return dz_version() == nullptr; }'
  run 0 c++ -Wall -Wextra -Werror -fsyntax-only -I"$work/prefix/include" "$work/use.cc"
}

the_cmake_package_is_found() {
  run 0 "$cmake" -S "$source/examples/embed" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="$cflags"
  run 0 "$cmake" --build "$work/cmake"
  run 0 "$work/cmake/embed" "$source/examples/embed"
  [ "$(cat "$work/out.log")" = "$expected" ] || fail "the output is another one"
}

run_tests the_installed_copy_is_complete the_example_builds_with_pkg_config_and_runs the_header_is_cplusplus_too \
  the_cmake_package_is_found
