#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What programs do with sockets besides talking: fork, threads, exec, dup, epoll, signals, non-blocking calls.
. "$(dirname "$0")/lib.sh"

# README, "What differs": by express a reset, but for that of a close() with data unread, is an end of file.
reset=ECONNRESET
[ "${BERTH_CARRIER:-wire}" != express ] || reset=eof

python() { on client "$PYTHON" -c "
import errno, os, select, signal, socket, struct, sys, threading, time
$1"; }

start echo "$PYTHON" -c '
import socket, threading
def serve(c):
    while data := c.recv(65536):
        c.sendall(data)
    c.close()
s = socket.create_server(("", 7), backlog=128)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
'
await_port echo 7
ok $? "a server with a thread for every connection listens"

is "$(python '
s = socket.create_connection(("echo", 7)); pid = os.fork()
if not pid: s.sendall(b"child"); os._exit(0)
os.waitpid(pid, 0); print(s.recv(100).decode())')" child "a connection goes on in a forked child"
is "$(python '
s = socket.create_connection(("echo", 7)); os.set_inheritable(s.fileno(), True)
code = "import socket; s = socket.socket(fileno=%d); s.sendall(b\"exec\"); print(s.recv(9).decode(), s.getpeername()[1])" % s.fileno()
os.execv(sys.executable, [sys.executable, "-c", code])')" "exec 7" "and after exec"
is "$(python '
def talk(i):
    s = socket.create_connection(("echo", 7))
    for j in range(20):
        message = b"%d-%d" % (i, j)
        s.sendall(message)
        if s.recv(100) != message: wrong.append(message)
wrong = []
threads = [threading.Thread(target=talk, args=(i,)) for i in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]; print(len(wrong))')" 0 "twenty threads, twenty conversations, none mixed up"
is "$(python '
s = socket.socket(); s.setblocking(False)
r = s.connect_ex((socket.gethostbyname("echo"), 7))
p = select.epoll(); p.register(s, select.EPOLLOUT)
ready = p.poll(10)[0][1]; print(r in (0, errno.EINPROGRESS), ready == select.EPOLLOUT, s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
p.modify(s, select.EPOLLIN); print(p.poll(0)); s.send(b"x"); print(p.poll(10)[0][1] == select.EPOLLIN)' | tr '\n' ' ')" \
	"True True 0 [] True " "a non-blocking connect is announced by epoll, and so is the echo"
is "$(python '
s = socket.socket(); s.setblocking(False)
r = s.connect_ex((socket.gethostbyname("echo"), 9))
if r == errno.EINPROGRESS:
    select.select([], [s], [], 10); r = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
print(errno.errorcode[r])')" ECONNREFUSED "a non-blocking connect to a closed port ends in ECONNREFUSED"
is "$(python '
s = socket.create_connection(("echo", 7)); d = s.dup(); s.close(); d.sendall(b"dup"); print(d.recv(9).decode())')" dup "a duplicate outlives the original"
is "$(python '
a, b = socket.socketpair(); s = socket.create_connection(("echo", 7))
socket.send_fds(a, [b"x"], [s.fileno()]); s.close(); fd = socket.recv_fds(b, 1, 1)[1][0]
t = socket.socket(fileno=fd); t.sendall(b"passed"); print(t.recv(9).decode(), t.getpeername()[1])')" "passed 7" "a descriptor can be passed on"
is "$(python '
s = socket.create_connection(("echo", 7)); s.sendall(b"half"); s.shutdown(socket.SHUT_WR)
data = b""
while more := s.recv(100): data += more
print(data.decode())')" half "half close: the answer comes after our end of file"
is "$(python '
s = socket.create_server(("", 80)); s.settimeout(0.2)
try: s.accept()
except TimeoutError: print("timeout")
s.setblocking(False)
try: s.accept()
except BlockingIOError: print("EAGAIN")' | tr '\n' ' ')" "timeout EAGAIN " "accept() with nobody there: a timeout, or EAGAIN"
is "$(python '
s = socket.create_server(("", 80)); threading.Timer(0.3, lambda: socket.create_connection(("127.0.0.1", 80))).start()
c, peer = s.accept(); print(peer[0])')" 127.0.0.1 "a blocking accept() waits for its client"
is "$(python '
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.3)
s = socket.create_server(("", 80)); began = time.monotonic()
try: s.accept()
except Alarm: print(time.monotonic() - began < 5)')" True "a signal's handler runs while accept() blocks"
is "$(python '
count = 0
def ring(*_):
    global count; count += 1
signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
signal.siginterrupt(signal.SIGALRM, False) # SA_RESTART: README says what can happen without
for i in range(100):
    s = socket.create_connection(("echo", 7)); s.sendall(b"x"); s.recv(1); s.close()
signal.setitimer(signal.ITIMER_REAL, 0)
print(count > 0)')" True "a hundred connections under a rain of signals"
is "$(python '
l = socket.create_server(("", 80)); c = socket.create_connection(("127.0.0.1", 80)); a = l.accept()[0]
a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); a.close()
try: c.recv(1); print("eof")
except ConnectionResetError: print("ECONNRESET")')" $reset "SO_LINGER 0 resets (by express it ends)"
is "$(python '
l = socket.create_server(("", 80)); c = socket.create_connection(("127.0.0.1", 80)); a = l.accept()[0]
c.sendall(b"unread"); time.sleep(0.2); a.close()
try: c.recv(1); print("eof")
except ConnectionResetError: print("ECONNRESET")')" ECONNRESET "so does closing with data unread"
is "$(python '
s = socket.create_connection(("echo", 7))
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM, s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET,
      s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == 6, s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), s.family == socket.AF_INET)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)' | tr '\n' ' ')" \
	"True True True 0 True True " "a socket says that it is TCP over IPv4, and takes TCP_NODELAY"
is "$(python '
s = socket.create_connection(("echo", 7)); l = socket.create_server(("", 80)); c = socket.create_connection(("127.0.0.1", 80)); a = l.accept()[0]
print(*(x.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0] for x in (s, c, a, l)))')" "1 1 1 10" \
	"TCP_INFO says ESTABLISHED, and LISTEN"
is "$(python '
import asyncio
async def one(i):
    r, w = await asyncio.open_connection("echo", 7); w.write(b"%d\n" % i); line = await r.readline(); w.close(); return int(line)
async def main(): return sum(await asyncio.gather(*(one(i) for i in range(50))))
print(asyncio.run(main()))')" 1225 "asyncio: fifty conversations in one thread"

if command -v go >/dev/null 2>&1 && [ -z "${BERTH_SANITIZED:-}" ]; then
	cat >echo.go <<-'END'
		package main

		import (
			"fmt"
			"io"
			"net"
		)

		func main() {
			c, err := net.Dial("tcp", "echo:7")
			if err != nil {
				panic(err)
			}
			fmt.Fprint(c, "static go")
			c.(*net.TCPConn).CloseWrite()
			b, err := io.ReadAll(c)
			fmt.Println(string(b), err)
		}
	END
	if CGO_ENABLED=0 GOFLAGS=-mod=mod GOPATH=$WORK/go GOCACHE=$WORK/gocache GO111MODULE=off go build -o echo-go echo.go 2>go.log; then
		is "$(on client ./echo-go)" "static go <nil>" "a static Go program, without libc, talks and resolves names"
	else
		skip "a static Go program talks" "go build: $(head -n 1 go.log)"
	fi
	chmod -R u+w go gocache 2>/dev/null
else
	skip "a static Go program talks" "go is not installed, or this is the sanitized run"
fi
finish
