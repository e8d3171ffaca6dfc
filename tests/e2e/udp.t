#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# UDP: replies by address, connected sockets, sizes, closed ports, and the name service asked with dig.
. "$(dirname "$0")/lib.sh"

start echo "$PYTHON" -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7))
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(data, peer)
'
await_port echo 7 UNCONN
ok $? "a UDP server is bound to port 7"

client() { on client "$PYTHON" -c "
import errno, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
echo = (socket.gethostbyname('echo'), 7)
$1"; }

is "$(client 's.sendto(b"hello", echo); data, peer = s.recvfrom(100); print(data.decode(), peer == echo)')" "hello True" \
	"an unconnected socket gets the echo, from the address that it asked"
is "$(client 's.connect(echo); s.send(b"hello"); print(s.recv(100).decode(), s.getpeername() == echo)')" "hello True" \
	"so does a connected one"
is "$(client '
for size in (0, 1, 1472, 1473, 8000, 65507):
    s.sendto(b"x" * size, echo)
    print(len(s.recv(65535)), end=" ")')" "0 1 1472 1473 8000 65507 " "datagrams from empty to the largest, fragmented where they must be"
is "$(client '
try: s.sendto(b"x" * 65508, echo)
except OSError as e: print(errno.errorcode[e.errno])')" EMSGSIZE "one byte more is EMSGSIZE"
is "$(client '
for i in range(50): s.sendto(b"%d" % i, echo)
print(sum(int(s.recv(10)) for i in range(50)))')" 1225 "fifty in a row wait to be read"
is "$(client '
s.connect((echo[0], 9)); s.send(b"x")
try: s.recvfrom(10)
except OSError as e: print(errno.errorcode[e.errno])')" ECONNREFUSED "a closed port is ECONNREFUSED on a connected socket"
is "$(client 's.sendto(b"abcdef", echo); print(s.recvfrom(3)[0].decode(), end=" "); s.setblocking(False)
try: s.recv(10)
except BlockingIOError: print("EAGAIN")')" "abc EAGAIN" "a datagram too long for the reader is cut, and its rest is gone"
is "$(client 'print(s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_DGRAM)')" True "SO_TYPE says SOCK_DGRAM"
is "$(client '
import select
p = select.epoll(); p.register(s, select.EPOLLIN); s.sendto(b"x", echo); print(p.poll(10)[0][1] == select.EPOLLIN)')" True \
	"epoll wakes up for a datagram"

if command -v dig >/dev/null 2>&1; then
	address=$("$BERTH" ps --net "$NET" | awk '$1 == "echo" { print $2 }')
	is "$(on client dig +short +timeout=5 +tries=1 echo @10.77.0.1 2>&1)" "$address" "dig gets a host's address from the name service"
	is "$(on client dig +short +timeout=5 +tries=1 echo 2>&1)" "$address" "whatever server resolv.conf names"
	is "$(on client dig +short +tcp +timeout=5 +tries=1 echo 2>&1)" "$address" "over TCP, too"
	like "$(on client dig +timeout=5 +tries=1 nosuch 2>&1)" "status: NXDOMAIN" "a name that is not there is NXDOMAIN"
	like "$(on client dig +short +timeout=5 +tries=1 -x "$address" 2>&1)" "^echo\." "an address has its name"
else
	skip "the name service answers dig" "dig is not installed"
fi
finish
