#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How the binary is built: position independent, read-only after start, no executable stack, checked string calls.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
binary=$build/src/cli/berth
number=0
result() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}
headers=$(readelf -lW "$binary")
grep -q 'Position-Independent Executable\|^Elf file type is DYN' <<<"$headers"
result $? "berth is position independent"
grep -q GNU_RELRO <<<"$headers" && readelf -dW "$binary" | grep -q 'BIND_NOW\|NOW'
result $? "its tables are read-only once it runs (full RELRO)"
grep 'GNU_STACK' <<<"$headers" | grep -vq 'RWE'
result $? "its stack is not executable"
if nm "$binary" | grep -q __asan_init; then
	result 0 "canaries and checked calls # SKIP sanitizers do more"
else
	readelf -sW "$binary" | grep -q __stack_chk_fail && readelf -sW "$binary" | grep -q '_chk@'
	result $? "canaries and checked calls"
fi
echo "1..$number"
