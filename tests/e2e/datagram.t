#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What programs do with datagrams beyond sending them: groups and broadcasts between hosts, errors (IP_RECVERR), raw
# sockets, control data, several in one call.
. "$(dirname "$0")/lib.sh"

cat >group.py <<'END'
import socket, struct, sys
S = socket; kind = sys.argv[1]
u = S.socket(S.AF_INET6 if kind == "6" else S.AF_INET, S.SOCK_DGRAM)
u.setsockopt(S.SOL_SOCKET, S.SO_REUSEADDR, 1); u.bind(("", {"4": 5004, "6": 5006, "b": 5005}[kind]))
if kind == "4": u.setsockopt(S.IPPROTO_IP, S.IP_ADD_MEMBERSHIP, S.inet_aton("239.1.2.3") + bytes(4))
if kind == "6": u.setsockopt(S.IPPROTO_IPV6, S.IPV6_JOIN_GROUP, S.inet_pton(S.AF_INET6, "ff15::77") + struct.pack("I", 0))
print("joined", flush=True)
d, a = u.recvfrom(100); print(d.decode(), S.gethostbyaddr(a[0])[0].split(".")[0], flush=True); u.sendto(b"heard", a)
END
cat >teller.py <<'END'
import socket, sys
S = socket; kind = sys.argv[1]
u = S.socket(S.AF_INET6 if kind == "6" else S.AF_INET, S.SOCK_DGRAM); u.settimeout(20)
if kind == "b": u.setsockopt(S.SOL_SOCKET, S.SO_BROADCAST, 1)
u.sendto(b"hello", {"4": ("239.1.2.3", 5004), "6": ("ff15::77", 5006), "b": ("255.255.255.255", 5005)}[kind])
print(u.recv(10).decode(), u.recv(10).decode())
END
for kind in 4 6 b; do
	for n in 1 2; do
		start "member$kind$n" "$PYTHON" group.py $kind
		until_true 10 grep -qs joined "member$kind$n.log"
	done
	name=$(sed 's/4/an IPv4 group/; s/6/an IPv6 group/; s/b/a broadcast/' <<<$kind)
	is "$(on teller "$PYTHON" teller.py $kind 2>&1)" "heard heard" "$name reaches every host that has joined"
	is "$(tail -n 1 "member${kind}1.log") $(tail -n 1 "member${kind}2.log")" "hello teller hello teller" "… with the sender's address"
done

python() { on "prober" "$PYTHON" -c "
import ctypes, errno, os, select, socket, struct, time
S = socket
def attempt(f):
    try: return f()
    except OSError as e: return errno.errorcode[e.errno]
def wait(s):
    p = select.poll(); p.register(s, select.POLLIN); return bool(p.poll(20000))
$1" 2>err; }

# Linux sends what send() has taken, whatever the socket is closed with.
start counter "$PYTHON" -uc '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 9)); last = 0
while True:
    data, who = s.recvfrom(9); last += data == b"last"; s.sendto(b"%d" % last, who)'
await_port counter 9 UNCONN
is "$(python '
for i in range(20):
    u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.connect(("counter", 9)); u.send(b"first"); wait(u); u.send(b"last"); u.close()
u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.connect(("counter", 9))
def count(): u.send(b"first"); wait(u); return int(u.recv(9))
end = time.monotonic() + 20
while count() < 20 and time.monotonic() < end: time.sleep(.05)
print(count())')" 20 "what was sent last arrives, though the socket was closed with an answer unread"
stop "${started[-1]}"
unset "started[-1]"

start other sleep 1000
until_true 10 sh -c '"$BERTH" ps --net "$NET" 2>/dev/null | grep -q "^other "'

is "$(python '
u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.setsockopt(S.IPPROTO_IP, 11, 1); u.settimeout(20)
u.sendto(b"question", ("other", 9)); print(wait(u))
d, c, f, a = u.recvmsg(100, 500, S.MSG_ERRQUEUE); l, t, b = c[0]; e = struct.unpack_from("IBBBBII", b)
print(d, l, t, errno.errorcode[e[0]], e[1:4], S.inet_ntoa(b[20:24]) == S.gethostbyname("other"), a[1], bool(f & S.MSG_ERRQUEUE))
u.setblocking(False); print(attempt(lambda: u.recvmsg(100, 500, S.MSG_ERRQUEUE)), u.getsockopt(S.SOL_SOCKET, S.SO_ERROR), attempt(lambda: (u.setblocking(False), u.recv(9))))
')" "True
b'question' 0 11 ECONNREFUSED (2, 3, 3) True 9 True
EAGAIN 0 EAGAIN" "MSG_ERRQUEUE tells what was refused, by whom, once"
is "$(python '
u = S.socket(S.AF_INET6, S.SOCK_DGRAM); u.connect(("other", 9)); u.settimeout(20)
for f in lambda: u.recvfrom(10), lambda: u.recvmsg(10):
    u.send(b"x"); wait(u); print(attempt(f), u.getsockopt(S.SOL_SOCKET, S.SO_ERROR))
u.send(b"x"); wait(u); print(u.getsockopt(S.SOL_SOCKET, S.SO_ERROR), attempt(lambda: (u.setblocking(False), u.recv(9))))
')" "ECONNREFUSED 0
ECONNREFUSED 0
111 EAGAIN" "a connected socket's refusal is told once, by a call or by SO_ERROR"

# Raw sockets: echo by hand, in both versions of IP.
is "$(python '
def sum16(b): s = sum(struct.unpack("!%dH" % (len(b) // 2), b)); s = (s >> 16) + (s & 0xffff); return ~(s + (s >> 16)) & 0xffff
r = S.socket(S.AF_INET, S.SOCK_RAW, S.IPPROTO_ICMP); r.settimeout(20)
q = struct.pack("!BBHHH", 8, 0, 0, 77, 1) + b"berth---"; q = q[:2] + struct.pack("!H", sum16(q)) + q[4:]
r.sendto(q, ("other", 0)); d, a = r.recvfrom(1000); print(d[0] >> 4, d[9], d[20], d[24:26].hex(), d[28:], a[0] == S.gethostbyname("other"))
r = S.socket(S.AF_INET6, S.SOCK_RAW, S.IPPROTO_ICMPV6); r.settimeout(20)
r.setsockopt(S.IPPROTO_ICMPV6, 1, bytes.fromhex("ff" * 16 + "fdffffff" + "ff" * 12)) # ICMP6_FILTER: echo replies only
r.sendto(struct.pack("!BBHHH", 128, 0, 0, 78, 1) + b"berth6--", ("other", 0)); d, a = r.recvfrom(1000); print(d[0], d[8:])
')" "4 1 0 004d b'berth---' True
129 b'berth6--'" "raw ICMP sockets work, and reach this network"
[ ! -s err ] && ok 0 "… without a word" || { ok 1 "… without a word"; show err "$(cat err)"; }

is "$(python '
class iovec(ctypes.Structure): _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]
class msghdr(ctypes.Structure): _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(iovec)), ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]
class mmsghdr(ctypes.Structure): _fields_ = [("hdr", msghdr), ("len", ctypes.c_uint)]
libc = ctypes.CDLL(None, use_errno=True)
u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); u.connect(u.getsockname())
def batch(texts):
    m = (mmsghdr * len(texts))()
    for i, t in enumerate(texts): m[i].hdr.iov = ctypes.pointer(iovec(t, len(t))); m[i].hdr.iovlen = 1
    return m
out = batch([b"one", b"three", b""]); print(libc.sendmmsg(u.fileno(), out, 3, 0), [x.len for x in out])
got = batch([b"." * 10, b"." * 4, b"." * 10]); print(libc.recvmmsg(u.fileno(), got, 3, 0, None), [(x.len, x.hdr.iov[0].base[:x.len], x.hdr.flags) for x in got])
')" "3 [3, 5, 0]
3 [(3, b'one', 0), (4, b'thre', 32), (0, b'', 0)]" "sendmmsg() and recvmmsg()"
is "$(python '
u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.bind(("", 0)); u.settimeout(20)
for level, option in (S.SOL_SOCKET, 29), (S.IPPROTO_IP, 8), (S.IPPROTO_IP, 12): u.setsockopt(level, option, 1)
v = S.socket(S.AF_INET, S.SOCK_DGRAM); v.sendmsg([b"x"], [(S.IPPROTO_IP, S.IP_TTL, struct.pack("i", 7))], 0, ("127.0.0.1", u.getsockname()[1]))
d, c, f, a = u.recvmsg(10, 300); t = {(l, t): b for l, t, b in c}
print(abs(struct.unpack("qq", t[1, 29])[0] - time.time()) < 60, S.inet_ntoa(t[0, 8][8:]), struct.unpack("i", t[0, 2])[0])
')" "True 127.0.0.1 7" "time, destination and TTL as control data"
is "$(python '
u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); u.settimeout(20); v = S.socket(S.AF_INET, S.SOCK_DGRAM)
for i in range(100): v.sendto(b"%d" % i, u.getsockname())
print([int(u.recvfrom(9)[0]) for i in range(100)] == list(range(100)))
to = ("255.255.255.255", 9); v.setsockopt(S.SOL_SOCKET, S.SO_BROADCAST, 1)
print([attempt(lambda: v.sendto(b"x", to)) for i in range(3)]); v.setsockopt(S.SOL_SOCKET, S.SO_BROADCAST, 0)
print(attempt(lambda: v.sendto(b"x", to)), attempt(lambda: v.sendto(b"x" * 65508, u.getsockname())))
v.connect(u.getsockname()); v.shutdown(S.SHUT_WR); print(attempt(lambda: v.sendto(b"x", u.getsockname())))
' 2>&1)" "True
[1, 1, 1]
EACCES EMSGSIZE
EPIPE" "datagrams to one address come in order, and what can be wrong with one is told at once"
is "$(python '
u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); u.settimeout(20); got = []
for i in range(100):
    v = S.socket(S.AF_INET, S.SOCK_DGRAM); v.connect(u.getsockname())
    for text in b"a", b"": v.send(text)
    v.close(); got += [u.recv(9), u.recv(9)]
print(got == [b"a", b""] * 100, select.select([u], [], [], 0.2)[0])
' 2>&1)" "True []" "an empty datagram before close() comes, and close() sends none"
if command -v traceroute >/dev/null; then
	like "$(on tracer traceroute -n -I -w 2 other 2>&1)" "^ 1  [0-9.a-f:]+  [0-9.]+ ms" "traceroute -I"
else
	skip "traceroute -I" "it is not installed"
fi
finish
