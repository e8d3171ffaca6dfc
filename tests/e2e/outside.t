#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is outside the network: out of reach, unless --allow or --outbound lets a program out; what was refused is told.
# "The outside" is an address of the loopback device in a network namespace of the test's own.
if [ -z "${outside_inside:-}" ] && unshare -Urn true 2>/dev/null; then
	outside_inside=1 exec unshare -Urn --kill-child bash "$0" "$@"
fi
keep_root=1
. "$(dirname "$0")/lib.sh"
need ip
[ -n "${outside_inside:-}" ] || skip_all "network namespaces are not to be had"
ip link set lo up
for address in 192.0.2.7/32 192.0.2.8/32 198.51.100.9/32 192.0.2.53/32; do ip addr add "$address" dev lo; done
ip -6 addr add 2001:db8::7/128 dev lo nodad

# Servers outside: TCP echo (7) that says who calls, a big file (81), UDP echo (7), and names (53).
"$PYTHON" -u - >servers.log 2>&1 <<'EOF2' &
import socket, struct, threading
def tcp(family, port, serve):
    s = socket.create_server(("", port), family=family, reuse_port=True)
    while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
def echo(c):
    while data := c.recv(65536): c.sendall(data)
    c.close()
def big(c): c.sendall(bytes(range(256)) * 12000); c.close()
def reset(c): c.recv(1); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close()
for family in socket.AF_INET, socket.AF_INET6:
    threading.Thread(target=tcp, args=(family, 7, echo)).start()
threading.Thread(target=tcp, args=(socket.AF_INET, 81, big)).start()
threading.Thread(target=tcp, args=(socket.AF_INET, 82, reset)).start()
def udp(family, to):
    s = socket.socket(family, socket.SOCK_DGRAM); s.bind((to, 7))
    while True: s.sendto(*s.recvfrom(70000))
for family, to in (socket.AF_INET, "192.0.2.7"), (socket.AF_INET, "192.0.2.8"), (socket.AF_INET6, "2001:db8::7"):
    threading.Thread(target=udp, args=(family, to)).start()
names = {b"echo.example": "192.0.2.7", b"www.echo.example": "192.0.2.8", b"other.example": "198.51.100.9"}
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(("192.0.2.53", 53)); print("ready")
while True:
    q, who = d.recvfrom(2000); at = 12; labels = []
    while q[at]: labels.append(q[at + 1:at + 1 + q[at]]); at += 1 + q[at]
    name = b".".join(labels); kind = struct.unpack(">H", q[at + 1:at + 3])[0]; print("asked", name.decode(), kind)
    found = name in names and kind == 1
    d.sendto(q[:2] + (b"\x81\x80" if name in names else b"\x81\x83") + struct.pack(">HHHH", 1, found, 0, 0) + q[12:at + 5] +
        (b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(names[name]) if found else b""), who)
EOF2
started+=("$!")
until_true 10 grep -qs ready servers.log

run() { timeout $((30 * slow)) "$BERTH" run --net "$NET" "$@" 2>&1; }
cat >try.py <<'EOF2'
import errno, hashlib, select, socket, sys
def tcp(to, port):
    s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET); s.settimeout(20); s.connect((to, port))
    return s
def attempt(f):
    try: return f()
    except OSError as e: return errno.errorcode.get(e.errno, str(e))
def echo(to, port=7):
    s = tcp(to, port); who = s.getpeername(); s.sendall(b"hello"); s.shutdown(socket.SHUT_WR)
    return f"{s.makefile().read()} from {who[0]} {who[1]}"
def udp(to, connected=False, port=7):
    s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)
    if connected: s.connect((to, port)); s.send(b"hello"); return f"{s.recvfrom(99)[0].decode()} from {s.getpeername()[0]}"
    s.sendto(b"hello", (to, port)); data, who = s.recvfrom(99)
    return f"{data.decode()} from {who[0]} {who[1]}"
def big(to): return hashlib.sha256(tcp(to, 81).makefile("rb").read()).hexdigest()[:16]
def reset(to):
    s = tcp(to, 82); s.send(b"x"); return s.recv(1)
def nonblocking(to, port):
    s = socket.socket(); s.setblocking(False); r = s.connect_ex((to, port)); p = select.poll(); p.register(s, select.POLLOUT)
    if r != errno.EINPROGRESS: return errno.errorcode.get(r, r)
    p.poll(20000); r = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR); return errno.errorcode.get(r, "connected")
def name(n):
    try: return socket.getaddrinfo(n, 7, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    except socket.gaierror as e: return "unknown"
for words in sys.argv[1:]: print(attempt(lambda: eval(words)))
EOF2
try() { run "${options[@]}" -- "$PYTHON" try.py "$@" | tr '\n' '|'; }

options=()
is "$(try 'echo("192.0.2.7")' 'echo("2001:db8::7")' 'udp("192.0.2.7")' 'udp("192.0.2.7", True)' 'name("echo.example")' 'nonblocking("192.0.2.7", 7)')" \
	"ENETUNREACH|ENETUNREACH|ENETUNREACH|ENETUNREACH|unknown|ENETUNREACH|" "by default nothing outside is reached, and it is said at once"
options=(--offline)
is "$(try 'echo("192.0.2.7")')" "ENETUNREACH|" "--offline says the same"

options=(--outbound)
is "$(try 'echo("192.0.2.7")' 'echo("2001:db8::7")')" "hello from 192.0.2.7 7|hello from 2001:db8::7 7|" "--outbound: TCP over IPv4 and IPv6; getpeername() says whom"
is "$(try 'udp("192.0.2.7")' 'udp("192.0.2.8", True)' 'udp("2001:db8::7")')" "hello from 192.0.2.7 7|hello from 192.0.2.8|hello from 2001:db8::7 7|" \
	"UDP, connected and not"
cat >many.py <<'EOF2'
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(20)
for port in range(1000, 2200): u.sendto(b"to nobody", ("192.0.2.7", port))
u.sendto(b"still", ("192.0.2.7", 7)); print(u.recvfrom(99)[0].decode())
v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.settimeout(20)
for i in range(100):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as w: w.sendto(b"x", ("192.0.2.7", 7)); w.sendto(b"x", ("192.0.2.8", 7))
v.sendto(b"here", ("192.0.2.8", 7)); print(v.recvfrom(99)[0].decode())
many = [socket.create_connection(("192.0.2.7", 7)) for i in range(300)]
for s in many: s.sendall(b"x")
print(all(s.recv(1) == b"x" for s in many))
EOF2
is "$(run --outbound -- "$PYTHON" many.py | tr '\n' '|')" "still|here|True|" "1,200 UDP destinations from a socket, 100 sockets, 300 connections at once"
is "$(try 'big("192.0.2.7")')" "$("$PYTHON" -c 'import hashlib; print(hashlib.sha256(bytes(range(256)) * 12000).hexdigest()[:16])')|" "3 MB come as they are"
is "$(try 'reset("192.0.2.7")' 'echo("192.0.2.7", 9)' 'nonblocking("192.0.2.7", 9)' 'nonblocking("192.0.2.7", 7)')" \
	"ECONNRESET|ECONNREFUSED|ECONNREFUSED|connected|" "resets and refusals are the real ones"
is "$(try 'udp("192.0.2.7", True, 9)')" "ECONNREFUSED|" "… also over UDP"

options=(--allow 192.0.2.7:7 --allow 198.51.100.0/24)
is "$(try 'echo("192.0.2.7")' 'echo("192.0.2.7", 9)' 'echo("192.0.2.8")' 'echo("198.51.100.9")' 'udp("192.0.2.8")')" \
	"hello from 192.0.2.7 7|ENETUNREACH|ENETUNREACH|hello from 198.51.100.9 7|ENETUNREACH|" "--allow ADDRESS:PORT and a range: just that"
options=(--outbound --deny 192.0.2.0/24:7 --deny '[2001:db8::]/32')
is "$(try 'echo("192.0.2.7")' 'big("192.0.2.7")[:0]' 'echo("198.51.100.9")' 'echo("2001:db8::7")')" \
	"ENETUNREACH||hello from 198.51.100.9 7|ENETUNREACH|" "--deny wins"

options=(--allow echo.example:7 --dns 192.0.2.53)
is "$(try 'name("echo.example")' 'echo("echo.example")' 'echo("echo.example", 81)' 'echo("192.0.2.8")' 'name("www.echo.example")' 'name("other.example")')" \
	"192.0.2.7|hello from 192.0.2.7 7|ENETUNREACH|ENETUNREACH|unknown|unknown|" "--allow NAME:PORT: the name is known, and its address is open at that port"
! grep -q "asked other" servers.log
ok $? "other names are not even asked"
options=(--allow '*.echo.example' --dns 192.0.2.53)
is "$(try 'echo("www.echo.example")' 'name("echo.example")')" "hello from 192.0.2.8 7|unknown|" "*.NAME is all below it"
options=(--outbound --deny other.example --dns 192.0.2.53)
is "$(try 'name("echo.example")' 'name("other.example")' 'name("nosuch.example")')" "192.0.2.7|unknown|unknown|" "--outbound asks for all names but those denied"
options=(--add-host inner:10.77.0.99 --add-host far.example:192.0.2.8 --allow 192.0.2.8)
is "$(try 'name("inner")' 'echo("far.example")')" "10.77.0.99|hello from 192.0.2.8 7|" "--add-host"

# What was refused.
run -d --name curious --allow 192.0.2.8 -- "$PYTHON" try.py 'echo("192.0.2.7")' 'echo("192.0.2.7")' 'udp("198.51.100.9")' 'name("other.example")' >/dev/null
"$BERTH" wait --net "$NET" curious >/dev/null
out=$("$BERTH" inspect --net "$NET" curious)
like "$out" "denied +[0-9]+ attempts" "inspect counts what was denied"
like "$out" "python3.* to 192\.0\.2\.7:7/tcp, 2 times" "… with program and destination"
like "$out" "to 198\.51\.100\.9:7/udp, 1 time$" "… UDP"
like "$out" "to other\.example \(name\)" "… and names"
like "$("$BERTH" ps -a --net "$NET")" "^curious +exit 0 .* 4 +- " "ps counts them"
like "$("$BERTH" events --net "$NET" 2>&1)" "curious .*denied.*python3.* to 192\.0\.2\.7:7/tcp" "berth events has them in their order"
is "$("$BERTH" inspect --net "$NET" --json curious | "$PYTHON" -c 'import json, sys; print([(d["destination"], d["count"]) for d in json.load(sys.stdin)[0]["denied"]][0])')" \
	"('192.0.2.7:7/tcp', 2)" "so does the JSON"
"$BERTH" rm --net "$NET" curious >/dev/null

options=(--fail-on-leak)
out=$(run --fail-on-leak -- "$PYTHON" try.py 'echo("192.0.2.7")')
is "$?" 125 "--fail-on-leak: exit code 125"
like "$out" "^berth: --fail-on-leak: python3.* tried to reach 192\.0\.2\.7:7/tcp, 1 time$" "… and a list"
run --fail-on-leak --allow 192.0.2.7 -- "$PYTHON" try.py 'echo("192.0.2.7")' >/dev/null
is "$?" 0 "what is allowed is no leak"
run --fail-on-leak -- sh -c "$PYTHON try.py 'echo(\"192.0.2.7\")'; exit 3" >/dev/null
is "$?" 3 "a program that fails by itself keeps its code"

wrong() { # PATTERN OPTIONS…
	local pattern=$1
	shift
	out=$(run "$@" true)
	is "$?/$(grep -c . <<<"$out")" "125/1" "$*: exit code 125 and one line"
	like "$out" "$pattern" "… which says what is wrong"
}
wrong "do not go together" --offline --outbound
wrong "do not go together" --allow 192.0.2.7 --offline
for rule in 192.0.2.7:0 192.0.2.7:x '[::1]:70000'; do wrong "a port is a number" --allow "$rule"; done
for rule in 192.0.2.0/33 '::/129' 192.0.2.0/; do wrong "number of bits" --deny "$rule"; done
for rule in '' web .example a..example 'a b.example' 192.0.2/24; do wrong "takes an address" --allow "$rule"; done
wrong "no IP address" --dns example.com
wrong "NAME:ADDRESS" --add-host web
wrong "no IP address" --add-host web:here
wrong "no host's name" --add-host 'a b:192.0.2.1'
finish
