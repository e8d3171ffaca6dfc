#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth publish and unpublish while the program runs; and the program sees who the real client is.
. "$(dirname "$0")/lib.sh"

change() { timeout $((20 * slow)) "$BERTH" "$1" --net "$NET" "${@:2}" 2>&1; }
start who "$PYTHON" -uc '
import socket, threading
def stream(family, port):
    s = socket.create_server(("", port), family=family, dualstack_ipv6=family == socket.AF_INET6)
    while True:
        c, who = s.accept()
        c.sendall(f"{who[0]} {who[1]} {c.getpeername()[1]}\n".encode()); c.close()
def datagram():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 53))
    while True:
        data, who = s.recvfrom(2000)
        if data == b"connect":
            s.connect(who); s.send(f"{s.getpeername()}".encode())
            s.close(); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 53)); continue
        s.sendto(f"{who[0]} {who[1]}".encode(), who)
threading.Thread(target=stream, args=(socket.AF_INET, 80)).start()
threading.Thread(target=stream, args=(socket.AF_INET6, 81)).start()
datagram()'
await_port who 80 && await_port who 81 && await_port who 53 UNCONN

cat >client.py <<'EOF2'
import socket, sys
kind, to, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in to else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(20)
s.connect((to, port))
me = s.getsockname()
if kind == "tcp": answer = s.makefile().read().split()
else:
    s.send(sys.argv[4].encode() if len(sys.argv) > 4 else b"x"); answer = s.recv(2000).decode()
    answer = answer.split() if len(sys.argv) < 5 else [eval(answer)[0], str(eval(answer)[1])]
print("same" if answer[0].replace("::ffff:", "") == me[0] and set(answer[1:]) == {str(me[1])} else f"{answer} {me}")
EOF2
port=$(free_port)
like "$(change publish who "$port:80")" "127\.0\.0\.1:$port->80/tcp" "publish says what is published then"
like "$("$BERTH" ps --net "$NET")" "127\.0\.0\.1:$port->80/tcp" "… and so does ps"
is "$("$PYTHON" client.py tcp 127.0.0.1 "$port" 2>&1)" same "TCP: the program sees the real client's address and port"
like "$(change publish who "127.0.0.1:$port:53/udp")" "$port->53/udp" "the same port for UDP"
is "$("$PYTHON" client.py udp 127.0.0.1 "$port" 2>&1)" same "UDP: it does, and what it answers there comes back"
is "$("$PYTHON" client.py udp 127.0.0.1 "$port" connect 2>&1)" same "… also when it connects its socket to the client"
cat >again.py <<'EOF2'
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
s.connect(("127.0.0.1", int(sys.argv[1])))
def answered(what):
    until = time.monotonic() + 20
    while time.monotonic() < until: # what comes while it has no socket there is lost
        try:
            s.send(what)
            return s.recv(2000)
        except OSError: time.sleep(0.01)
print(sum(1 for i in range(40) if answered(b"connect") and answered(b"x")))
EOF2
is "$("$PYTHON" again.py "$port" 2>&1)" 40 "… and when it closes that and binds another to its port, again and again"
change publish who 0.0.0.0:0:81 >/dev/null
any=$("$BERTH" ps --net "$NET" | sed -n 's/.* 0\.0\.0\.0:\([0-9]*\)->81\/tcp.*/\1/p')
is "$("$PYTHON" client.py tcp 127.0.0.1 "$any" 2>&1)" same "a listener for IPv6 and IPv4 sees it as it sees IPv4"
other=$(hostname -I 2>/dev/null | awk '{ print $1 }')
if [ -n "$other" ]; then
	is "$("$PYTHON" client.py tcp "$other" "$any" 2>&1)" same "a client at the machine's other address ($other) is seen as that"
else
	skip "a client at the machine's other address is seen as that" "it has none"
fi
if "$PYTHON" -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
	change publish who '[::1]:0:81' >/dev/null
	six=$("$BERTH" ps --net "$NET" | sed -n 's/.*\[::1\]:\([0-9]*\)->81\/tcp.*/\1/p')
	is "$("$PYTHON" client.py tcp ::1 "$six" 2>&1)" same "and one over IPv6"
else
	skip "and one over IPv6" "the machine has none"
fi

unlike "$(change unpublish who "$port:80")" "$port->80" "unpublish"
! "$PYTHON" client.py tcp 127.0.0.1 "$port" >/dev/null 2>&1
ok $? "… closes the port"
is "$("$PYTHON" client.py udp 127.0.0.1 "$port" 2>&1)" same "… and no other"

wrong() { # PATTERN SENTENCE EXIT ARGUMENTS…
	out=$(change "${@:4}")
	is "$?/$(grep -c . <<<"$out")" "$3/1" "$2: exit code $3 and one line"
	like "$out" "$1" "… which says what is wrong"
}
wrong "has not published that" "unpublish of what is not" 1 unpublish who "$port:80"
wrong "can't publish 127.0.0.1 port $port: Address already in use" "a port that is taken" 1 publish who "$port:54/udp"
wrong "no host 'nosuch'" "a host that is not there" 1 publish nosuch 0:80
wrong "no ports given" "nothing to publish" 125 publish who
wrong "no host given" "nothing at all" 125 unpublish
wrong "a port is a number" "a port that is none" 125 publish who 80:x
wrong "one word too many" "two at once" 125 publish who 0:80 0:81
finish
