#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth why: faults made on purpose, and the reason that it names for each.
. "$(dirname "$0")/lib.sh"

# The codes that berth why gives about HOST (and PEER), each once, in order.
codes() {
	"$BERTH" why --net "$NET" --json "$@" 2>/dev/null | "$PYTHON" -c 'import json, sys; print(" ".join(dict.fromkeys(w["code"] for w in json.loads(sys.stdin.read() or "[]"))))'
}
# Wait until berth why says CODE about ARGUMENTS, and see that it says nothing else.
because() { # CODE SENTENCE ARGUMENTS…
	local code=$1 sentence=$2
	shift 2
	until_true 20 says "$code" "$@"
	is "$(codes "$@")" "$code" "$sentence"
}
says() { local code=$1; shift; codes "$@" | grep -qw "$code"; }
link() { "$BERTH" link --net "$NET" "$@"; }

cat >server.py <<'END'
import os, signal, socket, sys, threading, time
def serve(port, work, address="", backlog=5):
    s = socket.create_server((address, port), backlog=backlog)
    def loop():
        while True:
            c, _ = s.accept()
            threading.Thread(target=work, args=(c,), daemon=True).start()
    if work:
        threading.Thread(target=loop, daemon=True).start()
    return s
def echo(c):
    while (data := c.recv(65536)): c.sendall(data)
    c.close()
def sink(c):
    while c.recv(65536): pass
    c.close()
def deaf(c): time.sleep(1000)
keep = [serve(7, echo), serve(9, sink), serve(10, deaf), serve(81, echo, "127.0.0.1"), serve(82, None, backlog=1)]
print("ready", flush=True)
time.sleep(1000)
END
start server "$PYTHON" -u server.py
until_true 10 grep -sq ready server.log
server=$("$BERTH" ps --net "$NET" | awk '$1 == "server" { print $2 }')

is "$("$BERTH" why --net "$NET")" "nothing is slow, stuck or refused" "nothing, when there is nothing"
on asker "$PYTHON" -c 'import socket; s = socket.create_connection(("server", 7)); print(s.connect_ex(("server", 7)))' >asker.said
is "$(cat asker.said) $(codes asker)" "106 " "to ask again how a connect() went (EISCONN) is no failure"

on caller "$PYTHON" -c 'import socket; socket.socket().connect(("server", 80))' 2>/dev/null
because no-listener "nobody listens at that port" caller 80
like "$("$BERTH" why --net "$NET" caller)" "nobody listens at tcp port 80 of server" "… in words"
start local "$PYTHON" -u -c "
import socket, time
try: socket.socket().connect(('$server', 81))
except OSError: print('refused', flush=True)
time.sleep(1000)"
until_true 10 grep -q refused local.log
because other-address "it listens at 127.0.0.1 only" local 81
start udp "$PYTHON" -c 'import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", ("server", 99)); time.sleep(1000)'
because no-socket "a datagram for a port that nobody has" server 99
start lost "$PYTHON" -c 'import socket; socket.socket().connect(("10.77.99.99", 80))'
because no-such-host "an address that no host has" lost
on asker "$PYTHON" -c 'import socket; socket.create_connection(("databse", 80))' 2>/dev/null
because no-such-name "a name that no host has" asker
like "$("$BERTH" why --net "$NET" asker)" "it asked for the name databse, which no host has" "… which one"
like "$("$BERTH" events --net "$NET" --kinds event asker)" "NO_SUCH_NAME.*databse" "… and the journal has it"

start full "$PYTHON" -c '
import socket, time
s = []
for i in range(600):
    s.append(socket.socket()); s[-1].setblocking(False)
    try: s[-1].connect(("server", 82))
    except BlockingIOError: pass
time.sleep(1000)'
because backlog "a server that does not accept" server 82
kill "${started[-1]}"

start writer "$PYTHON" -c '
import socket
s = socket.create_connection(("server", 10))
while True: s.send(b"x" * 65536)'
because not-read "a reader that does not read" writer
start idle "$PYTHON" -c '
import socket, time
s = socket.create_connection(("server", 7)); s.sendall(b"hello"); s.recv(100); time.sleep(1000)'
because silent "programs that have nothing to say" idle

start victim "$PYTHON" -u -c '
import os, socket, time
s = socket.create_server(("", 7)); print(os.getpid(), flush=True)
c, _ = s.accept()
while True: c.sendall(c.recv(10))'
until_true 10 grep -q . victim.log
start friend "$PYTHON" -c '
import socket, time
s = socket.create_connection(("victim", 7))
while True: s.sendall(b"x"); s.recv(1); time.sleep(0.01)'
until_true 10 says fine -a friend
kill -STOP "$(cat victim.log)"
because stopped "a process that is stopped" friend
kill -CONT "$(cat victim.log)"
until_true 10 says fine -a friend

pump='
import socket
s = socket.create_connection(("server", 9))
while True: s.send(b"x" * 65536)'
start pump "$PYTHON" -c "$pump"
until_true 10 says fine -a pump
link set pump out loss 20%
because loss "a cable that loses packets" pump
link reset pump
link set pump out rate 1mbit
because rate "a cable that is too narrow" pump
link reset pump
link set pump delay 60ms
because delay "a way that is long" pump
link reset pump
"$BERTH" partition --net "$NET" pump ! server
because cut "a cut" pump
"$BERTH" heal --net "$NET"
like "$(link set pump out loss 20%; until_true 10 says loss pump; "$BERTH" why --net "$NET" pump server)" \
	"^pump:[0-9]+ -> server:9 ESTAB: slow" "in words: who"
like "$("$BERTH" why --net "$NET" pump)" "    the cable of pump \(out\) loses packets \(loss 20%\): [0-9]+ lost there; [0-9]+ segments" "… why"
like "$("$BERTH" why --net "$NET" pump)" "    try: berth link reset pump" "… what to do"
"$BERTH" why --net "$NET" nobody >/dev/null 2>err.log
is "$?/$(grep -c "no host 'nobody'" err.log)" "1/1" "a host that is none"
finish
