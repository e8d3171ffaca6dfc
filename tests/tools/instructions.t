#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The hot paths take no more instructions than bench/instructions.budget gives them; and the gate would see it.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
number=0

ok() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

gate() { # ARGUMENTS...: what tools/instructions says of made-up counts is in $scratch/out
	/usr/bin/python3 tools/instructions --budget "$scratch/budget" --counts "$scratch/counts" "$@" >"$scratch/out" 2>&1
}

if [ -n "${BERTH_SANITIZED:-}" ]; then
	ok 0 "every hot path is within its budget # SKIP sanitizers add instructions of their own"
elif ! /usr/bin/meson introspect --buildoptions "$build" 2>/dev/null | grep -q '"value": "debugoptimized"'; then
	ok 0 "every hot path is within its budget # SKIP budgets are of a build of type debugoptimized"
else
	/usr/bin/python3 tools/instructions "$build" >"$scratch/out" 2>&1
	status=$?
	sed 's/^/# /' "$scratch/out"
	if [ $status -eq 77 ]; then
		ok 0 "every hot path is within its budget # SKIP $(head -1 "$scratch/out")"
	else
		ok $status "every hot path is within its budget"
	fi
fi

printf 'echo 1000\nconnect 5000\n' >"$scratch/budget"
printf 'echo 1029\nconnect 5149\n' >"$scratch/counts"
gate
ok $? "less than 3% over a budget is within it"

printf 'echo 1031\nconnect 5000\n' >"$scratch/counts"
! gate && grep -q '^echo .*OVER BUDGET' "$scratch/out" && grep -q 'make instructions-accept' "$scratch/out"
ok $? "more than 3% over a budget fails, names the path and says how to go on"

printf 'echo 960\nconnect 5000\n' >"$scratch/counts"
gate && grep -q '^echo .*tightened' "$scratch/out"
ok $? "more than 3% under a budget says that it can be tightened"

printf 'echo 1000\nconnect 5000\nnew 7\n' >"$scratch/counts"
! gate && grep -q '^new .*has no budget' "$scratch/out"
ok $? "a path without a budget fails"

printf 'echo 1000\n' >"$scratch/counts"
! gate && grep -q '^connect .*not measured' "$scratch/out"
ok $? "a budget whose path is gone fails"

gate --accept && gate && printf 'echo 1040\n' >"$scratch/counts" && ! gate
ok $? "accepting writes the budgets that were counted"

printf 'echo many\n' >"$scratch/budget"
! gate && grep -q 'budget:1: expected' "$scratch/out"
ok $? "a budget that is no number is refused, with its line"
echo "1..$number"
