#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tools/abi sees what breaks programs that were linked with libberth, and only that.
set -u
cd "$(dirname "$0")/../.." || exit 1
echo 1..5
sentences=("a library is compatible with itself" "a structure that grew is seen" \
	"but not what is private" "a function that is gone is seen" "what is no library is said")
if [ -n "${BERTH_SANITIZED:-}" ]; then
	for i in 0 1 2 3 4; do echo "ok $((i + 1)) - ${sentences[i]} # SKIP what is shipped is not sanitized"; done
	exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
old=${BUILD:-build}/lib/libberth.so
result() { # NUMBER STATUS
	if [ "$2" -eq 0 ]; then echo "ok $1 - ${sentences[$1 - 1]}"; return; fi
	echo "not ok $1 - ${sentences[$1 - 1]}"
	sed 's/^/# /' "$scratch/said" | tail -n 30
}
told() { tools/abi "$old" "$1" >"$scratch/said" 2>&1; } # LIBRARY
change() { # FILE SED-SCRIPT
	sed -i "$2" "$scratch/tree/$1" && ! cmp -s "$1" "$scratch/tree/$1" || echo "not ok - nothing changed in $1"
}
variant() { # told of a libberth with these changes
	{ [ -d "$scratch/tree/build" ] || meson setup "$scratch/tree/build" "$scratch/tree"; meson compile -C "$scratch/tree/build" berth:shared_library; } \
		>"$scratch/log" 2>&1 || { cat "$scratch/log" >"$scratch/said"; return 3; }
	told "$scratch/tree/build/lib/libberth.so"
}
mkdir "$scratch/tree" && tar c --exclude='./build*' --exclude=./.git . | tar x -C "$scratch/tree"
told "$old"
result 1 $?
change src/core/stack.h 's/^struct berth_stack {$/&\n\tint in_front;/'
change include/berth/stack.h 's/^struct berth_memory {$/&\n\tlong in_front;/'
variant
[ $? -eq 1 ] && grep -q 'berth_memory' "$scratch/said"
result 2 $?
! grep -q 'packet_queue loopback_queue' "$scratch/said"
result 3 $?
change lib/berth.map 's/berth_\*;/berth_s*;/'
variant
[ $? -eq 1 ] && grep -q 'berth_listen' "$scratch/said"
result 4 $?
told README.md
[ $? -eq 2 ] && grep -q 'README.md: not a library' "$scratch/said"
result 5 $?
