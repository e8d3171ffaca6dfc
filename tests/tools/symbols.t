#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tools/check-symbols: libberth exports berth_* only and needs libc only; a stray export would be found.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
library=${BUILD:-$top/build}/lib/libberth.so
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

result() { # STATUS NUMBER SENTENCE
	sed 's/^/# /' "$scratch/out"
	if [ "$1" -eq 0 ]; then echo "ok $2 - $3"; else echo "not ok $2 - $3"; fi
}

"$top/tools/check-symbols" "$library" >"$scratch/out" 2>&1
result $? 1 "libberth exports berth_* only, with versions, and needs libc only"

echo 'int berth_fine(void) { return 0; } int stray(void) { return 0; }' >"$scratch/stray.c"
echo 'BERTH_0 { global: *; };' >"$scratch/map"
cc -shared -fPIC -Wl,--version-script="$scratch/map" -o "$scratch/libstray.so" "$scratch/stray.c"
! "$top/tools/check-symbols" "$scratch/libstray.so" >"$scratch/out" && grep -q 'exports stray' "$scratch/out"
result $? 2 "a stray export is found"

echo '#include <math.h>
double berth_fine(double x) { return sin(x); }' >"$scratch/needs.c"
cc -shared -fPIC -Wl,--no-as-needed -Wl,--version-script="$scratch/map" -o "$scratch/libneeds.so" "$scratch/needs.c" -lm
! "$top/tools/check-symbols" "$scratch/libneeds.so" >"$scratch/out" && grep -q 'needs libm' "$scratch/out"
result $? 3 "a library that libc is not is found"
echo "1..3"
