#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon has locked itself up: no privileges, no programs, no files but its own (what that refuses is tried call by
# call in tests/platform/confine.c); and it listens to nobody but its user, at Unix sockets. peer.t has other users.
. "$(dirname "$0")/lib.sh"

start one sleep 1000
until_true 10 "$BERTH" inspect --net "$NET" one >/dev/null 2>&1
pid=$("$BERTH" net inspect "$NET" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
status() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }
is "$(status NoNewPrivs)" 1 "no new privileges"
is "$(status Seccomp)" 2 "a filter of system calls"
is "$(status CapEff)/$(status CapPrm)/$(status CapInh)" "0000000000000000/0000000000000000/0000000000000000" "no capabilities"
is "$(stat -c %a "$XDG_RUNTIME_DIR/berth/$NET/api.sock")/$(stat -c %a "$XDG_RUNTIME_DIR/berth/$NET")" "600/700" "its socket is its user's"
is "$(stat -c %a "$XDG_RUNTIME_DIR/berth/$NET/run.sock")" 600 "… and that of supervisors"
[ "$(id -u)" = 0 ] || [ -n "${BERTH_SANITIZED:-}" ] || [ ! -r "/proc/$pid/environ" ]
ok $? "nobody looks into it: it can't be debugged"

# All that listens in a network namespace of our own.
cat >listens.sh <<'END'
ip link set lo up 2>/dev/null
"$BERTH" run --net "in$NET" --name web "$@" -- sleep 1000 &
for i in $(seq 200); do "$BERTH" ps --net "in$NET" 2>/dev/null | grep -q web && break; sleep 0.05; done
"$BERTH" ps --net "in$NET" >/dev/null || echo "no network"
cat /proc/net/{tcp,tcp6,udp,udp6,udplite,raw,raw6,packet} 2>/dev/null | grep -v 'local_address\|^sk ' | awk '{ print $2, $4 }'
kill %1
wait
END
if unshare -Urn true 2>/dev/null; then
	is "$(timeout 60 unshare -Urn bash listens.sh 2>/dev/null)" "" "a network listens at no address of the machine, whatever its protocol"
	is "$(timeout 60 unshare -Urn bash listens.sh -p 8080:80 2>/dev/null)" "0100007F:1F90 0A" "… but where -p says: 127.0.0.1:8080"
else
	skip "a network listens at no address of the machine" "no network namespace can be made here"
fi
finish
