#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# TCP Fast Open for programs: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, curl and nginx.
. "$(dirname "$0")/lib.sh"
need curl nginx

cat >server.py <<'END'
import socket
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
s.bind(("0.0.0.0", 7000)); s.listen(16)
while True:
    c, _ = s.accept()
    data = c.recv(100000)
    fast = c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5] & 32  # TCPI_OPT_SYN_DATA
    c.sendall(b"%d %s" % (len(data), b"fast" if fast else b"slow"))
    c.close()
END
cat >client.py <<'END'
import socket, select
def said(s):
    s.setblocking(True)
    s.settimeout(20)
    return s.recv(100).decode()
def send(blocking, how, bytes=b"hello"):
    s = socket.socket()
    s.setblocking(blocking)
    try:
        how(s, bytes)
    except BlockingIOError:  # EINPROGRESS: a cookie was asked for
        select.select([], [s], [], 20)
        s.send(bytes)
    return said(s)
to = ("server", 7000)
fast = socket.MSG_FASTOPEN
def connect(s, bytes):
    s.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    try:
        s.connect(to)
    except BlockingIOError:
        select.select([], [s], [], 20)
    s.sendall(bytes)
print("first:", send(True, lambda s, b: s.sendto(b, fast, to)))
print("sendto:", send(True, lambda s, b: s.sendto(b, fast, to)))
print("nonblocking:", send(False, lambda s, b: s.sendto(b, fast, to)))
print("sendmsg:", send(True, lambda s, b: s.sendmsg([b, b"!"], [], fast, to)))
print("connect:", send(True, connect))
print("connect, nonblocking:", send(False, connect))
try:
    s = socket.socket()
    s.sendto(b"hello", fast, ("server", 7001))
    s.recv(1)
except ConnectionError as error:
    print("nobody there:", type(error).__name__)
END
start server "$PYTHON" server.py
await_port server 7000
ok $? "a server offers it by TCP_FASTOPEN"
on client "$PYTHON" client.py >out 2>&1
ok $? "a client runs"
like "$(cat out)" "^first: 5 slow" "the first connection asks for a cookie and sends as ever"
for way in sendto nonblocking connect "connect, nonblocking"; do
	like "$(cat out)" "^$way: 5 fast" "data goes with the SYN: $way"
done
like "$(cat out)" "^sendmsg: 6 fast" "data goes with the SYN: sendmsg, in two parts"
like "$(cat out)" "^nobody there: Connection" "where nobody listens, that is said"
on other "$PYTHON" -c "
import socket
s = socket.socket()
try: s.sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', 9))
except OSError as error: print(type(error).__name__)" >out 2>&1
is "$(cat out)" ConnectionRefusedError "a blocking send without a cookie is refused at once"

mkdir -p web
echo "a page" >web/index.html
OPTION=fastopen=16 start_nginx web 80 "$WORK/web"
ok $? "nginx listens with fastopen=16"
"$BERTH" capture --net "$NET" -w fast.pcapng 2>capture.err &
capture=$!
until_true 15 test -s fast.pcapng
on browser sh -c 'for i in 1 2 3; do curl -sS --tcp-fastopen http://web/; done' >out 2>&1
is "$(tr '\n' , <out)" "a page,a page,a page," "curl --tcp-fastopen gets its pages"
kill -INT "$capture"
wait "$capture"
"$PYTHON" - <<'END' >out
import struct
data, at, syns = open("fast.pcapng", "rb").read(), 0, 0
while at < len(data):
    kind, length = struct.unpack_from("<II", data, at)
    frame = data[at + 28:at + 28 + struct.unpack_from("<I", data, at + 20)[0]] if kind == 6 else b""
    for tcp in (34, 54):  # behind Ethernet and IPv4, or IPv6
        if frame[tcp + 13:tcp + 14] == b"\x02" and b"GET / HTTP" in frame:
            syns += 1
    at += length
print("SYNs that ask for the page:", "some" if syns >= 2 else syns)
END
is "$(cat out)" "SYNs that ask for the page: some" "… and asks for them in the SYN once it has a cookie"

# Options that only pass through: they hold, and say so.
is "$(on other "$PYTHON" -c "
import socket
s = socket.socket()
for option, value in ((25, 100000), (9, 10), (8, 1), (10, 5000)):
    s.setsockopt(socket.IPPROTO_TCP, option, value)
    print(s.getsockopt(socket.IPPROTO_TCP, option), end=' ')")" "100000 15 1 5000 " "TCP_NOTSENT_LOWAT, TCP_DEFER_ACCEPT, TCP_LINGER2 and TCP_WINDOW_CLAMP hold"
finish
