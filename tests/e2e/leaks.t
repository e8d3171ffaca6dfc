#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Thousands of sockets, and programs killed at any moment: neither the daemon nor the supervisor keeps anything of them.
. "$(dirname "$0")/lib.sh"
export BERTH_DEBUGGABLE=1 # or nobody could look what they hold

cat >sockets.py <<'END'
import os, select, socket, threading
parent = os.getppid()
def held(): return len(os.listdir(f"/proc/{parent}/fd"))
def echo(c):
    c.sendall(c.recv(100)); c.close()
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(50)
def serve():
    while True: echo(l.accept()[0])
threading.Thread(target=serve, daemon=True).start()
def tcp():
    s = socket.create_connection(l.getsockname()); s.sendall(b"x"); assert s.recv(10) == b"x"; s.close()
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
    s.sendto(b"x", s.getsockname()); assert s.recvfrom(5)[0] == b"x"; s.close()
def idle():
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.close()
def refused():
    s = socket.socket(); assert s.connect_ex(("127.0.0.1", 9)) == 111; s.close()
def begun():
    s = socket.socket(); s.setblocking(False); s.connect_ex(l.getsockname()); s.close()
for f in tcp, udp, idle, refused, begun: f()
before = held()
for f, n in (tcp, 1500), (udp, 1500), (idle, 1000), (refused, 500), (begun, 300):
    for i in range(n): f()
print("supervisor", held() - before < 10) # a few pidfds are kept for each thread
END
cat >server.py <<'END'
import socket, threading
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(("", 80)); l.listen(50)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 80))
def datagrams():
    while True: u.sendto(*u.recvfrom(100))
threading.Thread(target=datagrams, daemon=True).start()
def talk(c):
    try:
        while data := c.recv(65536): c.sendall(data)
    except OSError: pass
while True: threading.Thread(target=talk, args=l.accept()[:1], daemon=True).start()
END
cat >client.py <<'END'
import socket, threading
def streams():
    while True:
        try:
            s = socket.create_connection(("server", 80)); s.settimeout(1)
            for i in range(20): s.sendall(b"x" * 50000); s.recv(100000)
        except OSError: pass
def datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.1)
    while True:
        try: s.sendto(b"x", ("server", 80)); s.recvfrom(10)
        except OSError: pass
for f in streams, streams, datagrams: threading.Thread(target=f).start()
END

start keep sleep 1000
until_true 10 "$BERTH" ps --net "$NET" >/dev/null 2>&1
daemon=$(pgrep -u "$(id -u)" -f "berth daemon --net $NET ")
held() { ls "/proc/$daemon/fd" | wc -l; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }

sleep 0.3
before=$(held)
is "$(on many "$PYTHON" sockets.py 2>&1)" "supervisor True" "4,800 sockets later the supervisor holds what it held"
small=$(memory)
no_more() { [ "$(held)" -le "$before" ]; }
until_true 5 no_more
is "$(held)" "$before" "and so does the daemon"
on many "$PYTHON" sockets.py >/dev/null 2>&1
grown=$(($(memory) - small))
[ -n "${BERTH_SANITIZED:-}" ] || [ $grown -lt 2000 ]
ok $? "whose memory does not grow with a second time ($grown KiB)"

# Kill front, supervisor or program of both sides, again and again.
victim() { # PID OF FRONT: one of the three
	local pid=$1 depth=$((RANDOM % 3))
	while [ $depth -gt 0 ] && [ -n "$pid" ]; do
		pid=$(pgrep -P "$pid" | head -n 1)
		depth=$((depth - 1))
	done
	echo "${pid:-$1}"
}
alive=0
for round in $(seq 25); do
	"$BERTH" run --net "$NET" --name server -- "$PYTHON" server.py >/dev/null 2>&1 &
	server=$!
	"$BERTH" run --net "$NET" --name client -- "$PYTHON" client.py >/dev/null 2>&1 &
	client=$!
	sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
	kill -KILL "$(victim $server)" "$(victim $client)" 2>/dev/null
	for pid in $server $client; do
		until_true 5 gone "$pid" || { alive=$((alive + 1)); kill -KILL "$pid"; }
	done
	wait $server $client 2>/dev/null
done 2>/dev/null
is $alive 0 "25 rounds of killing: whoever is killed, the rest ends with it"
until_true 5 no_more
is "$(held)" "$before" "the daemon holds nothing of theirs"
is "$("$BERTH" ps --net "$NET" | tail -n +2 | wc -l)" 1 "and lists the one program that is there"
finish
