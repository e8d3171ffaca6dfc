#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Options and requests on sockets that real programs use, as Linux answers them: a program's output under Berth is
# compared with what Linux says, written down here.
. "$(dirname "$0")/lib.sh"

python() { timeout -k 5 $((30 * slow)) "$BERTH" run --net "$NET" -- "$PYTHON" -c "
import errno, fcntl, os, select, socket, struct, termios, time
S = socket; lo = '127.0.0.1'
def attempt(f):
    try: return f()
    except OSError as e: return errno.errorcode[e.errno]
def pair():
    l = S.create_server((lo, 0)); a = S.create_connection(l.getsockname()); b = l.accept()[0]; l.close(); return a, b
def wait(s, ms=20000):
    p = select.poll(); p.register(s, select.POLLIN); return bool(p.poll(ms))
def asked(s, request): return struct.unpack('i', fcntl.ioctl(s, request, b'0000'))[0]
def until(f):
    end = time.monotonic() + 20
    while not f() and time.monotonic() < end: time.sleep(0.01)
    return f()
$1" 2>&1; }

is "$(python '
a, b = pair(); a.sendall(b"hello"); print(until(lambda: asked(b, termios.FIONREAD) == 5), until(lambda: asked(a, termios.TIOCOUTQ) == 0))
b.recv(5); b.setsockopt(S.SOL_SOCKET, S.SO_RCVBUF, 65536); a.setblocking(False); sent = 0
while (n := attempt(lambda: a.send(b"x" * 65536))) != "EAGAIN": sent += n
time.sleep(0.3); left, unread = asked(a, termios.TIOCOUTQ), asked(b, termios.FIONREAD)
print(0 < left <= sent - unread, 0 < unread, asked(a, 0x894b) <= left, attempt(lambda: asked(S.create_server((lo, 0)), termios.TIOCOUTQ)))
')" "True True
True True True EINVAL" "FIONREAD, SIOCOUTQ and SIOCOUTQNSD count what is where"
is "$(python '
a, b = pair(); a.setsockopt(S.SOL_SOCKET, S.SO_LINGER, struct.pack("ii", 1, 0)); a.close(); wait(b); print(attempt(lambda: b.recv(10)))
a, b = pair(); b.send(b"unread"); wait(a); a.close(); wait(b); print(attempt(lambda: b.recv(10)))
')" "ECONNRESET
ECONNRESET" "SO_LINGER 0, and closing with something unread, reset"
is "$(python '
a, b = pair(); b.setsockopt(S.SOL_SOCKET, S.SO_RCVLOWAT, 5); print(b.getsockopt(S.SOL_SOCKET, S.SO_RCVLOWAT))
pid = os.fork()
if not pid: a.send(b"abc"); time.sleep(0.3); a.send(b"de"); os._exit(0)
print(b.recv(10)); os.wait()
')" "5
b'abcde'" "SO_RCVLOWAT makes recv() wait"
is "$(python '
s = S.socket(); print(attempt(lambda: s.setsockopt(S.SOL_SOCKET, 25, b"lo\0")), attempt(lambda: s.getsockopt(S.SOL_SOCKET, 25, 16)))
print(attempt(lambda: S.socket().setsockopt(S.SOL_SOCKET, 25, b"nodev\0")))
a, b = pair(); info = a.getsockopt(S.IPPROTO_TCP, S.TCP_INFO, 256); print(info[0], len(info) > 100, struct.unpack_from("I", info, 16)[0] > 0)
')" "None b'lo\x00'
ENODEV
1 True True" "SO_BINDTODEVICE and TCP_INFO"
is "$(python '
def share(kind, n):
    r = [S.socket(S.AF_INET, kind) for i in range(n)]
    for s in r: s.setsockopt(S.SOL_SOCKET, S.SO_REUSEPORT, 1); s.bind((lo, r[0].getsockname()[1])); kind == S.SOCK_STREAM and s.listen()
    return r
u = share(S.SOCK_DGRAM, 2)
for i in range(64): S.socket(S.AF_INET, S.SOCK_DGRAM).sendto(b"x", u[0].getsockname())
def count(s, f):
    s.setblocking(False); n = 0
    while True:
        try: f(s); n += 1
        except OSError: return n
time.sleep(0.2); n = [count(s, lambda s: s.recv(9)) for s in u]; print(min(n) > 0, sum(n))
l = share(S.SOCK_STREAM, 2); c = [S.create_connection(l[0].getsockname()) for i in range(64)]
time.sleep(0.2); n = [count(s, lambda s: s.accept()) for s in l]; print(min(n) > 0, sum(n))
s = S.socket(); s.bind(("", 0)); t = S.socket(); print(attempt(lambda: t.bind(("", s.getsockname()[1]))))
')" "True 64
True 64
EADDRINUSE" "SO_REUSEPORT shares datagrams and connections among workers"

# A daemon that hears late, and all at once, what was said on two sockets.
start holder sleep 1000
daemon_of() { daemon=$("$BERTH" net inspect "$NET" 2>/dev/null | sed -n 's/^ *"pid": \([0-9]*\),\{0,1\}$/\1/p' | head -n 1); [ -n "$daemon" ]; }
until_true 20 daemon_of
is "$(python "
def late(f):
    os.kill($daemon, 19)
    if not os.fork(): time.sleep(0.2); os.kill($daemon, 18); os._exit(0)
    r = attempt(f); os.wait(); return r
def busy(s, option):
    for i in range(150): s.setsockopt(S.IPPROTO_TCP, S.TCP_NODELAY, 1)
    s.setsockopt(S.SOL_SOCKET, option, 1)
for i in 1, 2, 3:
    if i == 2: S.socket() # the other way round
    a = S.socket(); a.bind((lo, 0)); at = a.getsockname()
    b = S.socket(); b.setsockopt(S.SOL_SOCKET, S.SO_REUSEADDR, 1); b.getsockname()
    print(late(lambda: (busy(a, S.SO_REUSEADDR), b.bind(at))[1]), end=' ')
    l = S.create_server((lo, 0)); c = S.socket(); c.getsockname()
    at = l.getsockname()
    print(late(lambda: (busy(l, S.SO_KEEPALIVE), c.connect(at), l.accept()[0].getsockopt(S.SOL_SOCKET, S.SO_KEEPALIVE))[2]))
")" "None 1
None 1
None 1" "no call overtakes an option set before it on another socket"
kill -CONT "$daemon"
finish
