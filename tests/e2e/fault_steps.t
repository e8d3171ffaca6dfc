#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A fault at one step of one part of a running network, drawn by chance from all steps that there are: killed, stopped,
# without descriptors, without memory, the clock jumps. docs/reliability.md says what is to come of each. TRIALS says how
# many of each kind, EVERY=N takes every Nth step instead (1: all; make faults), SEED which.
[ -z "${IN_NAMESPACE:-}" ] || keep_root=1 # mapped: nobody, in truth
. "$(dirname "$0")/lib.sh"
[ -z "${BERTH_SANITIZED:-}" ] || skip_all "what is preloaded does not go with AddressSanitizer's own"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
built=$here
[ -x "$here/fault_talk" ] || built=${BUILD:-$lib_top/build}/tests/e2e
if [ -z "${IN_NAMESPACE:-}" ] && unshare -Urn true 2>/dev/null; then
	# In a network namespace of its own, whatever abstract names there are are ours.
	BUILD=${BUILD:-$lib_top/build} again_in unshare -Urn
fi
export FAULT=$built/fault.so FAULT_TALK=$built/fault_talk SLOW=$slow
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
note "SEED=$SEED"
steps() { # KINDS SENTENCE
	local out how=(--trials "${TRIALS:-16}") status
	[ -z "${EVERY:-}" ] || how=(--every "$EVERY")
	out=$("$PYTHON" "$here/fault_steps.py" --kinds "$1" --seed "$SEED" "${how[@]}" 2>&1)
	status=$?
	ok $status "$2"
	note "$(head -n 60 <<<"$out" | cut -c 1-600)"
}
steps kill "kill -9 of any part: the others end or go on, and say so; nothing is left; the name can be used at once"
steps stop "any part stopped for a while: all waits for it, and then goes on as if nothing had been"
steps descriptor,descriptors "no descriptor left: an error where one was needed, and nothing else"
steps memory "no memory left: the same"
steps wall,monotonic "clocks that jump by years and an hour: nobody notices"
if [ -n "${IN_NAMESPACE:-}" ]; then
	no_names() { [ -z "$(abstract_names)" ]; }
	until_true 10 no_names
	ok $? "no abstract name is left"
else
	skip "no abstract name is left" "no network namespace can be made here, where they would be ours alone"
fi
finish
