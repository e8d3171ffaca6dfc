#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Queues that are full, descriptors that run out, several datagrams at once: by both carriers.
. "$(dirname "$0")/lib.sh"

cat >backlog.py <<'END'
import select, socket, threading, time
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(5)
def serve():
    time.sleep(0.3)
    while True:
        c, a = l.accept(); c.sendall(b"r" + c.recv(100)); c.close()
threading.Thread(target=serve, daemon=True).start()
waiting, got, sent = {}, [], set()
p = select.poll()
for i in range(12):
    s = socket.socket(); s.setblocking(False); s.connect_ex(l.getsockname())
    waiting[s.fileno()] = s; p.register(s, select.POLLOUT)
end = time.time() + 15
while waiting and time.time() < end:
    for fd, event in p.poll(500):
        s = waiting[fd]
        try:
            if fd not in sent:
                s.send(b"hello"); sent.add(fd); p.modify(fd, select.POLLIN)
                continue
            got.append(s.recv(100).decode())
        except OSError as e:
            got.append(str(e))
        p.unregister(fd); del waiting[fd]
print(len(got), *sorted(set(got)))
END

cat >emfile.py <<'END'
import os, resource, select, socket
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(50)
clients = []
def call(text):
    clients.append(socket.create_connection(l.getsockname())); clients[-1].send(text)
def limit(n): resource.setrlimit(resource.RLIMIT_NOFILE, (n, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
def refused():
    try: l.accept()
    except OSError as e: return e.strerror
p = select.poll(); p.register(l, select.POLLIN)
for text in b"0", b"1", b"2": call(text)
limit(3)
print({(len(p.poll(2000)), refused()) for i in range(5)})
limit(200)
got = []
for i in range(3):
    p.poll(2000); c, a = l.accept(); c.settimeout(5); got.append(c.recv(5))
print(sorted(got), p.poll(100))
call(b"9"); limit(3); refused(); limit(200)
c, a = l.accept(); print(c.recv(5), c.getblocking())
END

cat >mmsg.py <<'END'
import ctypes, socket, struct, threading, time
libc = ctypes.CDLL(None, use_errno=True)
class Vector(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
class Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint), ("parts", ctypes.POINTER(Vector)),
                ("part_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int)]
class Message(ctypes.Structure): _fields_ = [("header", Header), ("length", ctypes.c_uint)]
def receive(s, count, flags, timeout=None):
    buffers = [ctypes.create_string_buffer(100) for i in range(count)]
    parts = [Vector(ctypes.addressof(b), 100) for b in buffers]
    messages = (Message * count)()
    for i in range(count): messages[i].header.parts = ctypes.pointer(parts[i]); messages[i].header.part_count = 1
    left = (ctypes.c_long * 2)(*timeout) if timeout else None
    n = libc.recvmmsg(s.fileno(), messages, count, flags, left)
    return ctypes.get_errno() if n < 0 else b"".join(buffers[i].raw[:messages[i].length] for i in range(n)).decode()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def later(texts, gap=0.15):
    def send():
        for text in texts: time.sleep(gap); v.sendto(text.encode(), u.getsockname())
    t = threading.Thread(target=send); t.start(); return t
t = later("abc"); print("all", receive(u, 3, 0)); t.join()
t = later("ab"); print("one", receive(u, 3, 0x10000)); t.join(); u.recv(9)
t = later("abc", 0.4); print("time", receive(u, 9, 0, (0, 600000000))); t.join(); u.recv(9)
print("none", receive(u, 3, socket.MSG_DONTWAIT), receive(u, 3, 0, (0, -1)))
u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 500000))
t = later("x"); print("limit", receive(u, 3, 0)); t.join()
END

cat >reset.py <<'END'
import socket, struct, time
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()); s, a = l.accept()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.send(b"last words"); c.close(); time.sleep(0.3)
print(s.recv(100))
try: print(s.recv(100))
except OSError as e: print(e.strerror)
c = socket.create_connection(l.getsockname()); s, a = l.accept(); s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
c.send(b"a"); c.send(b"b", socket.MSG_OOB); c.send(b"c"); c.close(); time.sleep(0.3); got = b""
while piece := s.recv(10): got += piece
print(got)
END

cat >closed.py <<'END'
import collections, socket
results = collections.Counter()
for i in range(500):
    l = socket.socket(); l.bind(("", 0)); l.listen(100); to = ("127.0.0.1", l.getsockname()[1])
    a = socket.socket(); a.connect(to); a.send(b"xxx"); a.close(); l.close()
    b = socket.socket(); results[b.connect_ex(to)] += 1; b.close()
print(dict(results))
END

for carrier in wire express; do
	via=
	[ $carrier = wire ] || via=--express
	run() { timeout -k 5 $((60 * slow)) "$BERTH" run --net "$NET" --name it $via -- "$PYTHON" "$1" 2>&1; }
	is "$(run backlog.py)" "12 rhello" "$carrier: twelve callers of a backlog of five are all served"
	is "$(run emfile.py)" "{(1, 'Too many open files')}
[b'0', b'1', b'2'] []
b'9' True" "$carrier: what there is no descriptor for stays to be seen and accepted later"
	is "$(run closed.py)" "{111: 500}" "$carrier: a listener that is closed refuses at once, whatever it left behind"
	[ $carrier = wire ] || break
	is "$(run mmsg.py)" "all abc
one a
time ab
none 11 22
limit x" "recvmmsg() waits for all, for one, for a time"
	is "$(run reset.py)" "b'last words'
Connection reset by peer
b'abc'" "what came before a reset is read first; urgent bytes in their place"
done
finish
