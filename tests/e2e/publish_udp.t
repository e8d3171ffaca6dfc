#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run -p …/udp: real clients are kept apart, answers come from where they were asked for, big datagrams pass.
. "$(dirname "$0")/lib.sh"

OPTIONS=(-p 0.0.0.0:0:7/udp -p '[::1]:0:7/udp' -p 0:9/udp)
start echo "$PYTHON" -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7))
while True:
    data, who = s.recvfrom(70000)
    s.sendto(b"%s %d %d" % (who[0].encode(), who[1], len(data)) if data != b"echo" else data, who)'
OPTIONS=()
await_port echo 7 UNCONN
read -r any six closed < <("$BERTH" ps --net "$NET" --json | "$PYTHON" -c '
import json, sys
print(*[p["real_port"] for p in json.load(sys.stdin)[0]["published"]])')

cat >client.py <<'EOF2'
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
any_port, six_port, closed_port = map(int, sys.argv[1:])
def client(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(30); return s
def ask(s, data, to):
    s.sendto(data, to); return s.recvfrom(70000)
a, b = client(), client()
seen = [ask(s, b"x", ("127.0.0.1", any_port))[0].split()[1] for s in (a, b, a, b)]
print("apart", seen[0] == seen[2] != seen[1] == seen[3])
print("from", ask(a, b"x", ("127.0.0.2", any_port))[1][0])
print("big", ask(a, bytes(60000), ("127.0.0.1", any_port))[0].split()[2].decode())
print("empty", ask(a, b"", ("127.0.0.1", any_port))[0].split()[2].decode())
print("six", ask(client(socket.AF_INET6), b"echo", ("::1", six_port))[0].decode())
many = [client() for i in range(1100)]
print("many", all(ask(s, b"echo", ("127.0.0.1", any_port))[0] == b"echo" for s in many))
print("first", ask(a, b"echo", ("127.0.0.1", any_port))[0].decode())
c = client(); c.settimeout(0.3)
for i in range(3):
    c.sendto(b"x", ("127.0.0.1", closed_port))
try: print("closed", c.recv(10))
except TimeoutError: print("closed silent")
EOF2
out=$(timeout $((60 * slow)) "$PYTHON" client.py "$any" "$six" "$closed" 2>&1)
like "$out" "^apart True" "each real client has a port of the gateway's of its own, and keeps it"
like "$out" "^from 127.0.0.2" "the answer comes from the address that was called"
like "$out" "^big 60000" "60,000 bytes pass in fragments"
like "$out" "^empty 0" "and so does an empty datagram"
like "$out" "^six echo" "IPv6 outside, IPv4 inside"
like "$out" "^many True" "1,100 clients, more than are remembered"
like "$out" "^first echo" "one that was forgotten is served again"
like "$out" "^closed silent" "a port that nobody has bound stays silent"

# The first program's output is a pipe; the network, which it started, goes on without it.
there() { "$BERTH" ps --net "${NET}e" 2>/dev/null | grep -q "^$1 "; }
(until_true 20 there sh; exec "$BERTH" run --net "${NET}e" --name other -- sh -c 'touch flag; exec sleep 100') >/dev/null 2>&1 &
started+=("$!")
is "$(timeout $((30 * slow)) "$BERTH" run --net "${NET}e" -- sh -c 'until [ -e flag ]; do sleep 0.1; done; echo done' 2>&1)" "done" \
	"what a program says can be captured"
there other
ok $? "and is complete when the program ends, though its network goes on"
finish
