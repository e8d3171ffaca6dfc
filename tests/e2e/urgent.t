#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Urgent data between programs: what a script sees on the kernel's TCP, it sees here, by both carriers.
. "$(dirname "$0")/lib.sh"

cat >urgent.py <<'END'
import errno, fcntl, os, select, signal, socket, struct, time
OOB, PEEK = socket.MSG_OOB, socket.MSG_PEEK
def pair(inline=False):
    l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
    if inline: l.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    c = socket.create_connection(l.getsockname()); return c, l.accept()[0]
def mark(s): return struct.unpack("i", fcntl.ioctl(s, 0x8905, bytes(4)))[0]
def take(s, size, flags=0):
    try: return s.recv(size, flags | socket.MSG_DONTWAIT)
    except OSError as e: return errno.errorcode[e.errno]
def until(condition):
    end = time.time() + 20
    while not condition() and time.time() < end: time.sleep(0.005)
    return bool(condition())
def urgent(s):
    p = select.poll(); p.register(s, select.POLLPRI); return until(lambda: p.poll(0))

signals = []
signal.signal(signal.SIGURG, lambda *a: signals.append(1))
c, s = pair()
fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
print("none", take(s, 1, OOB), mark(s))
c.send(b"abc", OOB)
print("here", urgent(s), until(lambda: signals), take(s, 9, OOB | PEEK), mark(s), take(s, 9), mark(s), take(s, 9, OOB),
      take(s, 9, OOB), take(s, 9), mark(s))
c.send(b"x", OOB); urgent(s); c.send(b"y")
print("passed over", take(s, 1, OOB), s.recv(9), mark(s), take(s, 9, OOB))
c.send(b"1"); c.send(b"2", OOB); urgent(s); take(s, 1, OOB); c.send(b"3")
print("stops", s.recv(9, socket.MSG_WAITALL), mark(s), s.recv(9))
c, s = pair(True)
c.send(b"ab", OOB); c.send(b"c")
print("inline", s.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE), urgent(s), take(s, 1, OOB), s.recv(9), mark(s), s.recv(1), mark(s), s.recv(9))
c, s = pair()
s.send(b"!", OOB); s.close()
print("end", urgent(c), take(c, 1, OOB), c.recv(1))
c, s = pair(); total = 0
c.setblocking(False)
try:
    while True: total += c.send(bytes(60000))
except BlockingIOError: pass
c.setblocking(True); piece = b""
import threading
threading.Thread(target=lambda: (c.send(b"urgent", OOB), c.shutdown(socket.SHUT_WR)), daemon=True).start()
tail, marks = b"", 0
while total > 1000: total -= len(s.recv(min(100000, total - 1000))); marks += mark(s)
known = urgent(s)
while piece := s.recv(100000):
    marks += mark(s); total -= len(piece); tail = (tail + piece)[-5:]
print("behind a full pipe", known, total, tail, marks, take(s, 1, OOB))
END

kernel=$(timeout 100 "$PYTHON" urgent.py 2>&1)
is "$(grep -c . <<<"$kernel")" 7 "the kernel's own TCP goes through the script"
for carrier in wire express; do
	via=
	[ $carrier = wire ] || via=--express
	is "$(timeout -k 5 $((60 * slow)) "$BERTH" run --net "$NET" --name it $via -- "$PYTHON" urgent.py 2>&1)" "$kernel" \
		"$carrier: urgent data, its mark and its signal are as on the kernel's TCP"
done
finish
