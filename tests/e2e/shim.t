#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --shim and --express's preloaded shim: datagrams go from program to program, and nothing else is to be noticed of it.
. "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
probe=$here/shim_probe
[ -x "$probe" ] || probe=${BUILD:-$lib_top/build}/tests/e2e/shim_probe
echo='
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7))
if sys.argv[1:]: # by a program without the shim, which inherits the socket
    s.set_inheritable(True)
    os.execve(sys.executable, ["python3", "-c", "import socket; s = socket.socket(fileno=%d)\nwhile True: d, p = s.recvfrom(65535); s.sendto(d, p)" % s.fileno()], {})
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(data, peer)
'
OPTIONS=(--express)
start echo "$PYTHON" -u -c "$echo"
start plain "$PYTHON" -u -c "$echo" plain
OPTIONS=()
await_port echo 7 UNCONN
await_port plain 7 UNCONN
express() { timeout -k 5 $((60 * slow)) "$BERTH" run --net "$NET" --express --name client "$@"; }
# Packets that the cable of a host has carried.
packets() { "$BERTH" link --net "$NET" show "$1" | awk 'NR > 1 { sum += $4 } END { print sum + 0 }'; }

# What Linux says.
wanted="exchange: good
bad address: EINVAL
nobody's pointer: EAGAIN
no socket: ENOTSOCK
habit: asleep
cancel: cancelled
signal: EINTR
fork: both
reuse: its own port
close: goes on"
before=$(packets echo)
is "$(express -- "$probe" echo 7 2>&1)" "$wanted" "by express: signals, cancellation, fork, dup2 and closing of everything are as ever"
is "$(packets echo)" "$before" "… and not a packet went over the cable"
is "$(express --no-shim -- "$probe" echo 7 2>&1)" "$wanted" "--no-shim: the same"
[ "$(packets echo)" -gt "$before" ]
ok $? "… over the cable"
is "$("$BERTH" run --net "$NET" --name wired --shim -- "$probe" echo 7 2>&1)" "$wanted" \
	"--shim by wire: the same"
storm="signals without SA_RESTART at any moment: what never waits is not interrupted, what has begun goes on"
like "$(express -- "$probe" echo 7 storm 2>&1)" "storm: none lost" "$storm"
like "$("$BERTH" run --net "$NET" --name wired --shim -- "$probe" echo 7 storm 2>&1)" "storm: none lost" "… --shim by wire"
is "$(express -- "$probe" plain 7 2>&1)" "$wanted" "a program that inherited the socket without the shim gets what comes, and answers"

# berth exec: on express where its host is, and with the shim then.
OPTIONS=(--express)
start second sleep 1000
OPTIONS=()
start third sleep 1000
there() { "$BERTH" ps --net "$NET" | grep -q "^$1 "; }
until_true 10 there second
until_true 10 there third
inside() { timeout -k 5 $((60 * slow)) "$BERTH" exec --net "$NET" "$@" 2>&1; }
before=$(packets echo)
is "$(inside second -- "$probe" echo 7)" "$wanted" "exec on a host that is on express: the same"
is "$(packets echo)" "$before" "… past the cable"
is "$(inside --no-shim second -- "$probe" echo 7)" "$wanted" "exec --no-shim: the same"
[ "$(packets echo)" -gt "$before" ]
ok $? "… over the cable"
like "$(inside second sh -c 'echo $LD_PRELOAD')/$(inside third sh -c 'echo $LD_PRELOAD')/$(inside --shim third sh -c 'echo $LD_PRELOAD')" \
	"^/.*berth-shim.so//.*berth-shim.so$" "exec preloads it by express, not by wire, and where it is asked to"

client() { express -- "$PYTHON" -c "
import errno, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
echo = (socket.gethostbyname('echo'), 7)
$1"; }
is "$(client 's.sendto(b"abcdef", echo); print(s.recvfrom(3, socket.MSG_PEEK), s.recvfrom(3, socket.MSG_TRUNC)[1] == echo)
for size in (0, 1, 1473, 65507):
    s.sendto(b"x" * size, echo); print(len(s.recvfrom(65535)[0]), end=" ")')" "(b'abc', ('$("$BERTH" ps --net "$NET" |
	awk '$1 == "echo" { print $2 }')', 7)) True
0 1 1473 65507 " "peeking, cut datagrams, from empty to the largest"
is "$(client 's.connect((echo[0], 9)); s.send(b"x")
try: s.recv(10)
except OSError as e: print(errno.errorcode[e.errno])')" ECONNREFUSED "a closed port is ECONNREFUSED, to recv() as well"
is "$(client '
t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); t.bind(("", 99)); there = ("127.0.0.1", 99)
s.sendto(b"one", there); d, p = t.recvfrom(9); print(d, p[0]); t.close()
s.sendto(b"two", there)
t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); t.bind(("", 99)); t.settimeout(10)
s.sendto(b"three", there); print(t.recv(9))')" "b'one' 127.0.0.1
b'three'" "who binds a port that another has closed gets what comes then"
is "$(client '
a, b = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(2)]
s.bind(("127.0.0.1", 0)); a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0)); here = s.getsockname()
a.sendto(b"first", here); b.sendto(b"other", here); a.sendto(b"second", here)
print(s.recvfrom(9)[1] == a.getsockname()); s.connect(a.getsockname())
print(s.recv(9), s.recv(9)); a.sendto(b"third", here)
b.sendto(b"stray", here); a.sendto(b"fourth", here)
print(s.recv(9), s.recv(9)); s.send(b"back"); print(a.recvfrom(9)[1] == here)')" "True
b'other' b'second'
b'third' b'fourth'
True" "connect() on a socket that others sent to keeps what waits, and lets in its peer's alone"

is "$(client '
import os
a, s = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(2)]
s.bind(("127.0.0.1", 0)); a.bind(("127.0.0.1", 0)); here = s.getsockname()
a.sendto(b"first", here); d = s.dup(); r, w = os.pipe()
if not os.fork():
    os.read(r, 1); s.settimeout(10); print(s.recvfrom(9), s.recv(9), s.getpeername() == a.getsockname(), flush=True); os._exit(0)
print(s.recv(9)); s.connect(a.getsockname())
a.sendto(b"dup", here); print(d.recv(9), d.getpeername() == a.getsockname(), flush=True)
a.sendto(b"forked", here); a.sendto(b"more", here); os.write(w, b"x"); os.wait()
' | sed "s/, (.127.*))/)/")" "b'first'
b'dup' True
(b'forked') b'more' True" "… also by a duplicate, and in a process forked before"

"$BERTH" link set --net "$NET" echo in delay 40ms
is "$(client '
t = time.time(); s.sendto(b"x", echo); s.recvfrom(1); print(time.time() - t > .039)')" True "a condition on the cable holds for datagrams, too"
"$BERTH" link reset --net "$NET"

# Another C library, with its own ld.so, and none: both talk, and the shim, which needs nothing of libc, is in the first.
cat >musl.c <<'END'
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
int main(int count, char **words)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = AF_INET }, *to;
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char bytes[8] = "";
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (count < 3 || getaddrinfo(words[1], words[2], &hints, &to))
		return 1;
	sendto(fd, "musl", 4, 0, to->ai_addr, to->ai_addrlen);
	recvfrom(fd, bytes, 4, 0, (struct sockaddr *)&from, &length);
	return !(puts(bytes) >= 0 && length == to->ai_addrlen);
}
END
if command -v musl-gcc >/dev/null 2>&1 && musl-gcc -o musl musl.c && musl-gcc -static -o musl-static musl.c; then
	before=$(packets echo)
	is "$(express -- ./musl echo 7)" musl "a program of musl's talks by express"
	asked=$(($(packets echo) - before))
	is "$(express -- ./musl-static echo 7)" musl "and a static one, without the shim"
	[ $(($(packets echo) - before)) -gt $((2 * asked)) ]
	ok $? "… of which only the static one's datagrams go over the cable"
else
	skip "programs of musl's talk" "musl-gcc is not installed"
fi

# Stream sockets that the program makes itself: numbers for 64 at a time, and of its own for each process.
cat >streams.py <<'END'
import ctypes, os, select, socket
libc = ctypes.CDLL(None)
server = socket.create_server(("127.0.0.1", 0), backlog=64)
there = server.getsockname()
def number(s): # in the name that the kernel knows the socket by
    name, length = ctypes.create_string_buffer(110), ctypes.c_uint(110)
    libc.syscall(51, ctypes.c_long(0x62657274 << 32 | s.fileno()), name, ctypes.byref(length))
    return int(name.raw[43:59], 16) if length.value > 59 else 0
def talk(count):
    good = 0
    for i in range(count):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK if i % 2 else socket.SOCK_STREAM)
        s.connect_ex(there)
        select.select([], [s], [], 20)
        a, peer = server.accept()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        good += peer == s.getsockname() and s.getpeername() == there and s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        s.sendall(b"x"); good += a.recv(1) == b"x"
    return good
print(talk(100))
made = [socket.socket() for i in range(100)]
print({(s.family, s.type, s.proto) for s in made}, made[0].connect_ex(there), server.accept()[1] == made[0].getsockname())
gaps = [number(b) - number(a) for a, b in zip(made, made[1:])]
print(all(gap > 0 for gap in gaps), len([gap for gap in gaps if gap > 1]) <= 3)
later = socket.socket(type=socket.SOCK_DGRAM) # the supervisor's to make: its number is after those it gave out
print("ahead" if number(later) - number(made[99]) > 1 else "next")
made[7].close(); print(socket.socket().detach() == 0 or "lowest number")
read, write = os.pipe()
if not os.fork():
    mine = [socket.socket() for i in range(10)]
    os.write(write, b" ".join(b"%d" % number(s) for s in mine)); os._exit(0)
os.wait()
ours = [number(socket.socket()) for i in range(80)]
print(set(ours) & set(map(int, os.read(read, 4096).split())))
if libc.unshare(0x50000000): # CLONE_NEWUSER | CLONE_NEWNET
    raise SystemExit
server.settimeout(10)
for i in range(20):
    s = socket.create_connection(there, timeout=10)
    if server.accept()[1] != s.getsockname(): print("in another namespace nothing works")
END
sockets="200
{(<AddressFamily.AF_INET: 2>, <SocketKind.SOCK_STREAM: 1>, 0)} 0 True
True True
ahead
lowest number
set()"
is "$(express -- "$PYTHON" streams.py 2>&1)" "$sockets" "by express: stream sockets made in the program are as others, and after fork() its own"
is "$(timeout -k 5 $((60 * slow)) "$BERTH" run --net "$NET" --name streams --shim -- "$PYTHON" streams.py 2>&1)" "$sockets" "--shim by wire: the same"

# One connection after the other to the same place: the program makes them itself, and another takes them.
cat >visited.py <<'END'
import os, socket
listener = socket.create_server(("", 70), backlog=200)
os.fork() # two workers
while True:
    s, peer = listener.accept()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    good = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1 and s.getpeername() == peer and s.getsockname()[1] == 70
    s.sendall(repr((peer, good)).encode())
    s.close()
END
cat >visitor.py <<'END'
import ctypes, os, select, socket, sys
libc = ctypes.CDLL(None)
there = (socket.gethostbyname("visited"), 70)
def mark(s):
    value, length = ctypes.c_int(), ctypes.c_uint(4)
    if libc.syscall(55, ctypes.c_long(0x62657274 << 32 | s.fileno()), 1, 8, ctypes.byref(value), ctypes.byref(length)): return 0
    return value.value // 2 - 8192
def visit(i, kind=None):
    s = socket.socket(); s.setblocking(False)
    if kind == "bind": s.bind(("", 0)); port = s.getsockname()[1]
    if kind == "option": s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if kind == "name": assert s.getsockname() == ("0.0.0.0", 0)
    e = select.epoll()
    if kind == "epoll": e.register(s, select.EPOLLOUT | select.EPOLLET); e.poll(0)
    error = s.connect_ex(there)
    assert error == 115, error
    if kind != "epoll": e.register(s, select.EPOLLOUT)
    assert e.poll(20), kind
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert kind != "option" or s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == (kind == "option")
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert kind != "bind" or s.getsockname()[1] == port
    assert s.getpeername() == there
    s.setblocking(True)
    said = b"".join(iter(lambda: s.recv(200), b""))
    assert eval(said) == (s.getsockname(), True), (said, s.getsockname())
    return mark(s) & 5 == 1 # by express, and the daemon was told nothing before
visit(0)
for i in range(8): visit(i)
native = sum(visit(i) for i in range(200))
print("native" if native > 150 else "not native")
for i in range(60): visit(i, (None, "bind", "option", "name", "epoll", None)[i % 6])
if not os.fork():
    for i in range(20): visit(i)
    os._exit(0)
for i in range(20): visit(i)
print("fork", os.wait()[1])
kept = []
for i in range(12):
    s = socket.socket(); s.setblocking(False); s.connect_ex(there); kept.append(s)
l = socket.create_server(("", 71), backlog=2); here = (socket.gethostbyname("visitor"), 71)
full = [socket.socket() for i in range(8)] # more than the queue holds: those wait, and come
for s in full: s.setblocking(False); s.connect_ex(here)
names = {l.accept()[1][1] for s in full}
print(names == {s.getsockname()[1] for s in full})
l.close(); s = socket.socket(); s.setblocking(False)
error = s.connect_ex(here)
if error == 115: select.select([], [s], [], 20); error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
print(error)
END
visits="fork 0
True
111"
OPTIONS=(--express)
start visited "$PYTHON" -u visited.py
OPTIONS=(--express --no-shim)
start unaided "$PYTHON" -u visited.py
OPTIONS=()
await_port visited 70 LISTEN
await_port unaided 70 LISTEN
visitor() { timeout -k 5 $((60 * slow)) "$BERTH" run --net "$NET" --name visitor "$@" 2>&1; }
is "$(visitor --express -- "$PYTHON" visitor.py)" "native
$visits" "one connection after the other is made and taken natively; addresses, options and what is called before are as ever"
sed 's/"visited"/"unaided"/' visitor.py >unaided.py
is "$(visitor --express -- "$PYTHON" unaided.py)" "native
$visits" "… taken by a program without the shim"
is "$(visitor --express --no-shim -- "$PYTHON" visitor.py)" "not native
$visits" "… made by one without"
is "$(visitor --shim -- "$PYTHON" visitor.py)" "not native
$visits" "… by wire"

like "$(LD_PRELOAD=/nowhere/other.so express -- sh -c 'echo $LD_PRELOAD' 2>/dev/null)" "^/nowhere/other.so:/.*berth-shim.so$" \
	"who else is preloaded stays, before the shim"
is "$(express --no-shim -- sh -c 'echo $LD_PRELOAD')" "" "--no-shim preloads nothing"
is "$(on wired sh -c 'echo $LD_PRELOAD')" "" "nor does a program by wire, unless asked to"
for test in udp datagram; do
	BERTH_CARRIER=shim bash "$here/$test.t" >"$test.out" 2>&1
	is "$? $(grep "^not ok" "$test.out")" "0 " "$test.t with the shim"
done
BERTH_CARRIER=express bash "$here/datagram.t" >datagram.out 2>&1
is "$? $(grep "^not ok" datagram.out)" "0 " "datagram.t by express"
finish
