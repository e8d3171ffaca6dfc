#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth doctor: right where berth run works, and right where it does not.
. "$(dirname "$0")/lib.sh"

out=$(timeout 30 "$BERTH" doctor 2>&1)
is "$?" 0 "where the other tests run, berth run works"
like "$out" "berth run works here, as this user" "and it says so"
is "$(timeout 30 "$BERTH" doctor --json | "$PYTHON" -c '
import json, sys
print({f["verdict"] for f in json.load(sys.stdin)} <= {"good", "note"})')" True "--json has the same verdicts"

out=$(timeout 60 "$BERTH" run --net "$NET" -- "$BERTH" doctor 2>&1)
is "$?" 1 "inside berth run it does not"
like "$out" "NO. seccomp.*refused" "because of the filter's listener"
out=$(timeout 60 "$BERTH" run --net "$NET" -- "$BERTH" run --net "$NET" -- true 2>&1)
is "$?" 125 "and berth run fails there"
like "$out" "seccomp in berth doctor" "naming the doctor's line"

out=$(XDG_RUNTIME_DIR=/nonexistent timeout 30 "$BERTH" doctor 2>&1)
is "$?" 1 "without a directory for networks"
like "$out" "NO. directory.*/nonexistent" "it names that"
mkdir -m 755 open
mkdir -m 777 open/berth
chmod 777 open/berth
out=$(XDG_RUNTIME_DIR=$WORK/open timeout 30 "$BERTH" doctor 2>&1)
is "$?" 1 "a directory that is open to others will not do"
like "$(XDG_RUNTIME_DIR=/nonexistent timeout 30 "$BERTH" run true 2>&1)" "/nonexistent.*see directory in berth doctor" "… and so does berth run"
names=$(timeout 30 "$BERTH" doctor --json | "$PYTHON" -c 'import json, sys; print(*[f["name"] for f in json.load(sys.stdin)])')
for name in kernel seccomp descriptors memory yama container directory "open files" processes ports namespaces tun; do
	like "$names" "(^| )$name( |\$)" "the doctor has a line '$name'"
done
if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 80 ]; then
	like "$(timeout 30 "$BERTH" run --net "$NET" -p 80:80 true 2>&1)" "80: Permission denied \(see ports in berth doctor\)" "a port that only root may have"
else
	skip "a port that only root may have" "there is none here"
fi
like "$(ulimit -n 12; timeout 30 "$BERTH" run --net "$NET" true 2>&1)" "see (open files|processes|directory) in berth doctor" "too few descriptors"
timeout 30 "$BERTH" doctor --frob 2>out
is "$?/$(wc -l <out)" 125/1 "an unknown option: one line, exit code 125"
finish
