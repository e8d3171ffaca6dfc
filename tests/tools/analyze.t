#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# cppcheck finds nothing in the tree, and tools/analyze would see it if it or gcc -fanalyzer did. All of gcc's: make analyze.
cd "$(dirname "$0")/../.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
number=0

ok() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else sed 's/^/# /' "$scratch/out"; echo "not ok $number - $2"; fi
}

analyze() { # ARGUMENTS...: what it says of the planted file is in $scratch/out
	tools/analyze --accepted "$scratch/accepted" "$@" "$scratch" "$scratch/planted.c" >"$scratch/out" 2>&1
}

if [ -n "${BERTH_SANITIZED:-}" ]; then
	echo "1..0 # SKIP the same source is looked at without sanitizers"
	exit 0
fi

tools/analyze --only cppcheck --jobs 2 none >"$scratch/out" 2>&1
ok $? "cppcheck finds nothing that has no reason in tools/analyze.accepted"

cat >"$scratch/planted.c" <<'END'
#include <stdlib.h>
int *first(int wanted)
{
	int figures[4] = { 0 };
	int *p = malloc(sizeof(*p));
	*p = wanted + figures[4];
	return p;
}
END
printf '[{"directory": "%s", "file": "planted.c", "command": "ccache cc -O2 -MD -MQ planted.o -MF planted.d -o planted.o -c planted.c"}]' \
	"$scratch" >"$scratch/compile_commands.json"
planted=$(realpath --relative-to=. "$scratch/planted.c")
: >"$scratch/accepted"
! analyze --only cppcheck && grep -q "^cppcheck arrayIndexOutOfBounds $planted\$" "$scratch/out" && grep -q 'planted.c:6: ' "$scratch/out"
ok $? "what cppcheck finds fails, with its kind, file and line"

! analyze --only gcc && grep -q "^gcc analyzer-possible-null-dereference $planted\$" "$scratch/out" &&
	grep -q 'planted.c:6:.*possibly-NULL' "$scratch/out" && grep -q 'this call could return NULL' "$scratch/out"
ok $? "what gcc finds fails, with its kind, file, line and how it came to that"
[ ! -e "$scratch/planted.o" ] && [ ! -e "$scratch/planted.d" ]
ok $? "gcc writes nothing"

sed -n "s|^gcc \([a-z-]*\) $planted\$|gcc \1 $planted the test's own|p" "$scratch/out" | sort -u >"$scratch/accepted"
analyze --only gcc && grep -q '^gcc: clean' "$scratch/out"
ok $? "what has a reason is accepted"

analyze --only cppcheck && ok 1 "a reason is one tool's alone" || ok 0 "a reason is one tool's alone"

echo "gcc analyzer-double-free $planted it was mended" >>"$scratch/accepted"
! analyze --only gcc && grep -q 'analyzer-double-free.*but no longer found' "$scratch/out"
ok $? "a reason without its finding fails"

echo "gcc analyzer-double-free $planted" >"$scratch/accepted"
! analyze --only gcc && grep -q 'accepted:1: expected' "$scratch/out"
ok $? "a line without a reason is refused, with its number"

: >"$scratch/accepted"
rm "$scratch/compile_commands.json"
! analyze --only gcc && grep -q 'compile_commands.json: No such file.*build first' "$scratch/out"
ok $? "without a build it says what to do"

echo "int broken(" >"$scratch/planted.c"
printf '[{"directory": "%s", "file": "planted.c", "command": "cc -c planted.c"}]' "$scratch" >"$scratch/compile_commands.json"
! analyze --only gcc && grep -q 'planted.c does not compile' "$scratch/out"
ok $? "what does not compile is no clean file"
echo "1..$number"
