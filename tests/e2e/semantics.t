#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Linux's semantics: what small scenarios say on the kernel's sockets, they say under Berth (tests/programs/probe).
. "$(dirname "$0")/lib.sh"

# With sanitizers, which have no opinion on the answers, the plain run's carrier is enough.
carriers=(--carrier wire)
[ -n "${BERTH_SANITIZED:-}" ] || carriers+=(--carrier express)
"$PYTHON" "$PROGRAMS/semantics.py" "$PROBE" --berth "$BERTH" "${carriers[@]}" >said 2>said.err
status=$?
sed -n 's/^not ok [0-9]* - \(.*\)$/\1/p' said >bad
while read -r sentence; do
	ok 1 "$sentence"
done <bad
sed -n -e 's/^ok [0-9]* - /# /p' -e '/^#/p' said
[ $status -eq 0 ]
ok $? "every scenario as natively, or listed in semantics.expected with its reason"
[ $status -eq 0 ] || show "stderr" "$(cat said.err)"
finish
