#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Random system calls with random arguments, threads that change memory and descriptors under them, signals and sudden
# death (hostile_soak.c): supervisor and daemon live and hold no more than before, and two other hosts, which talk to each
# other all the time, do not notice. MINUTES says for how long (an hour by make hostile-soak), SEED which calls.
. "$(dirname "$0")/lib.sh"
export BERTH_DEBUGGABLE=1 # or nobody could look what they hold

seconds=$("$PYTHON" -c 'import sys; print(max(16, round(60 * float(sys.argv[1]))))' "${MINUTES:-0.3}")
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
note "SEED=$SEED MINUTES=${MINUTES:-0.3}"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
hostile=$here/hostile
[ -x "$hostile" ] || hostile=${BUILD:-$lib_top/build}/tests/e2e/hostile
[ -x "$hostile" ] || { ok 1 "$hostile is built"; finish; }
cp "$hostile" "$WORK/hostile"

cat >server.py <<'END'
import socket, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 7))
def datagrams():
    while True: u.sendto(*u.recvfrom(2000))
threading.Thread(target=datagrams, daemon=True).start()
l = socket.create_server(("", 7), backlog=50)
def talk(c):
    while data := c.recv(65536): c.sendall(data)
    c.close()
while True: threading.Thread(target=talk, args=l.accept()[:1], daemon=True).start()
END
# Says how often all was well, and the longest that an answer took.
cat >witness.py <<'END'
import os, socket, time
def exactly(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece: raise OSError("early end")
        data += piece
    return data
old = socket.create_connection(("server", 7)); worst = count = 0
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(("server", 7)); u.settimeout(60)
while not os.path.exists("enough"):
    start, data = time.monotonic(), os.urandom(5000)
    old.sendall(data); assert exactly(old, 5000) == data
    new = socket.create_connection(("server", 7)); new.sendall(data); new.shutdown(socket.SHUT_WR)
    assert exactly(new, 5000) == data and new.recv(1) == b""; new.close()
    u.send(data[:1000]); assert u.recv(2000) == data[:1000]
    count += 1; worst = max(worst, time.monotonic() - start); time.sleep(0.05)
print("all well", count, "slowest", round(worst, 2))
END
start server "$PYTHON" server.py
await_port server 7
start witness "$PYTHON" witness.py
witness=$!
daemon=$(pgrep -u "$(id -u)" -f "berth daemon --net $NET ")
# Pidfds apart: receivers keep up to 192 of threads, also of dead ones until their places are needed.
held() { find "/proc/$1/fd" -type l -not -lname 'anon_inode:\[pidfd\]' 2>/dev/null | wc -l; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
names() { awk -v key="$key" 'index($8, key) { n++ } END { print n + 0 }' /proc/net/unix; }
until_true 10 has_socket witness 7 ESTAB || until_true 10 has_socket server 7 ESTAB
key=$(abstract_names | sed -n 's/^@berth\.\([0-9a-f]\{32\}\)\.d$/\1/p' | while read -r k; do
	# Ours is the daemon's that listens by this name.
	for fd in /proc/"$daemon"/fd/*; do readlink "$fd"; done 2>/dev/null | sed -n 's/^socket:\[\(.*\)\]$/\1/p' | sort >inodes
	awk -v n="@berth.$k.d" '$8 == n { print $7 }' /proc/net/unix | sort | comm -12 - inodes | grep -q . && echo "$k"
done)
like "$key" '^[0-9a-f]{32}$' "the network's key is known"
before=$(held "$daemon")

"$BERTH" run --net "$NET" --name villain -- "$WORK/hostile" soak "$SEED" "$seconds" >villain.log 2>villain.err </dev/null &
villain=$!
started+=("$villain")
sleep $((seconds / 3))
supervisor=$(pgrep -P "$villain" | head -n 1)
early_daemon=$(memory "$daemon") early_supervisor=$(memory "$supervisor")
# Between rounds it holds little; in the middle of one a copy of what a call uses. The least of a while is compared.
least_held() { for _ in 1 2 3 4 5 6 7 8 9 10; do held "$supervisor"; sleep 0.1; done | sort -n | head -n 1; }
early_held=$(least_held)
sleep $((seconds - seconds / 3 - 4))
late_supervisor=$(memory "$supervisor") late_held=$(least_held)
gone "$villain"
is $? 1 "the supervisor has lived through it"
until_true $((30 + seconds / 10)) gone "$villain"
wait "$villain"
is $? 0 "… and ends as its program does"
like "$(cat villain.log)" "^[1-9][0-9]* rounds" "the program came to its end"
note "$(head -n 1 villain.log); supervisor: $early_supervisor KiB, $early_held descriptors; then $late_supervisor KiB, $late_held"
is "$(pgrep -u "$(id -u)" -f "berth daemon --net $NET ")" "$daemon" "the daemon is the same"

touch enough
until_true 30 gone "$witness"
wait "$witness"
is $? 0 "two other hosts have talked all the time"
like "$(cat witness.log)" "^all well [1-9]" "… and every byte came back"
note "$(cat witness.log)"
[ "$late_held" -le $((early_held + 8)) ]
ok $? "the supervisor holds no more descriptors at the end ($early_held, $late_held)"
no_more() { [ "$(held "$daemon")" -le "$before" ]; }
until_true 35 no_more
ok $? "nor does the daemon ($before, $(held "$daemon"))"
few_names() { [ "$(names)" -le 12 ]; }
until_true 10 few_names
ok $? "no abstract names are left ($(names))"
late_daemon=$(memory "$daemon")
note "daemon: $early_daemon KiB, then $late_daemon KiB"
if [ -n "${BERTH_SANITIZED:-}" ]; then
	skip "memory is flat" "AddressSanitizer keeps what was freed for a while"
else
	[ "$late_daemon" -le $((early_daemon + 4096)) ] && [ "$late_supervisor" -le $((early_supervisor + 2048)) ]
	ok $? "memory is flat"
fi
finish
