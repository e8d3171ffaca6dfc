#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon has locked itself up: no privileges, no programs, no files but its own.
. "$(dirname "$0")/lib.sh"

start one sleep 1000
until_true 10 "$BERTH" inspect --net "$NET" one >/dev/null 2>&1
pid=$("$BERTH" net inspect "$NET" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
status() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }
is "$(status NoNewPrivs)" 1 "no new privileges"
is "$(status Seccomp)" 2 "a filter of system calls"
is "$(status CapEff)/$(status CapPrm)/$(status CapInh)" "0000000000000000/0000000000000000/0000000000000000" "no capabilities"
is "$(stat -c %a "$XDG_RUNTIME_DIR/berth/$NET/api.sock")/$(stat -c %a "$XDG_RUNTIME_DIR/berth/$NET")" "600/700" "its socket is its user's"
finish
