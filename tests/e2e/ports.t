#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Ports: every host has all of them; inside one, bind() has Linux's rules; loopback stays inside.
. "$(dirname "$0")/lib.sh"

python() { on "$1" "$PYTHON" -c "
import errno, os, socket, sys, time
$2"; }

listener='import socket, time
s = socket.create_server(("", 80)); c = s.accept()[0]; c.sendall(NAME); c.close(); time.sleep(60)'
start one "$PYTHON" -c "NAME = b'one'
$listener"
start two "$PYTHON" -c "NAME = b'two'
$listener"
await_port one 80 && await_port two 80
ok $? "port 80 is bound on two hosts at once"
is "$(python c 'print(*(socket.create_connection((h, 80)).recv(9).decode() for h in ("one", "two")))')" "one two" \
	"and each answers for itself"

is "$(python c '
a = socket.create_server(("", 8000))
b = socket.socket()
try: b.bind(("", 8000))
except OSError as e: print(errno.errorcode[e.errno])')" EADDRINUSE "a port in use inside one host is EADDRINUSE"
is "$(python c '
a = socket.socket(); a.bind(("", 8000)); a.close()
b = socket.socket(); b.bind(("", 8000)); print("free")')" free "closed, it is free again"
is "$(python c '
a = socket.socket(); a.bind(("127.0.0.1", 8000))
b = socket.socket(); b.bind(("127.0.0.2", 8000)); print("both")')" both \
	"one port at two addresses"
is "$(python c '
pid = os.fork()
if not pid:
    s = socket.create_server(("", 8000), reuse_port=False); os.write(1, b"held "); os.kill(os.getpid(), 9)
os.waitpid(pid, 0)
for i in range(100):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try: s.bind(("", 8000)); print("free"); break
    except OSError: time.sleep(0.05)')" "held free" "a holder that was killed gives its port back"
is "$(python c '
s = socket.socket(); s.bind(("", 0)); p = s.getsockname()[1]; print(1024 <= p <= 65535)')" True "port 0 picks one"
is "$(python c '
ports = set()
keep = []
for i in range(50):
    s = socket.socket(); s.bind(("", 0)); keep.append(s); ports.add(s.getsockname()[1])
print(len(ports))')" 50 "each time another"
is "$(python c '
s = socket.socket()
try: s.bind(("192.0.2.1", 80))
except OSError as e: print(errno.errorcode[e.errno])')" EADDRNOTAVAIL "an address of somebody else is EADDRNOTAVAIL"
is "$(python c '
s = socket.socket()
try: s.bind(("", 80)); print("bound", s.getsockname()[1])
except OSError as e: print(errno.errorcode[e.errno])')" "bound 80" "a low port needs no privilege"
is "$(python c '
a = socket.socket(); b = socket.socket()
for s in (a, b):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); s.bind(("", 8000)); s.listen()
print("shared")')" shared "SO_REUSEPORT shares a port"

# Loopback: inside one host, and not beyond.
is "$(on alone sh -c "$PYTHON -c '
import socket
s = socket.create_server((\"127.0.0.1\", 5000)); print(\"up\", flush=True)
c = s.accept()[0]; c.sendall(c.recv(100)); c.close()' & sleep 1; $PYTHON -c '
import socket
s = socket.create_connection((\"127.0.0.1\", 5000)); s.sendall(b\"round\"); print(s.recv(100).decode())'; wait" | tr '\n' ' ')" \
	"up round " "two programs on one host talk over 127.0.0.1"
start inner "$PYTHON" -c 'import socket, time; s = socket.create_server(("127.0.0.1", 5001)); time.sleep(60)'
await_port inner 5001
is "$(python c '
try: socket.create_connection(("inner", 5001), timeout=10)
except OSError as e: print(errno.errorcode[e.errno])')" ECONNREFUSED "what listens on 127.0.0.1 is not reached from another host"
is "$(python c '
s = socket.create_server(("::1", 5002), family=socket.AF_INET6)
c = socket.create_connection(("::1", 5002)); a = s.accept()[0]; a.sendall(b"six"); print(c.recv(9).decode())')" six "::1 works as well"
is "$(python c '
s = socket.create_server(("", 8000)); me = socket.gethostbyname("c")
c = socket.create_connection((me, 8000)); a, peer = s.accept()
print(peer == c.getsockname(), a.getsockname() == c.getpeername() == (me, 8000))')" "True True" \
	"a host reaches itself by its own name, and both ends agree on their addresses"
finish
