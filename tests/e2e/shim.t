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
