#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What Berth does not have fails as Linux fails what it does not have, is said
# once on stderr, and never reaches the real network.
. "$(dirname "$0")/lib.sh"

# The program's answer on stdout, Berth's words on stderr.
python() { timeout -k 5 $((30 * slow)) "$BERTH" run --net "$NET" --name prober -- "$PYTHON" -c "
import ctypes, errno, os, socket, sys
def attempt(f):
    try: f(); return 'worked'
    except OSError as e: return errno.errorcode[e.errno]
libc = ctypes.CDLL(None, use_errno=True)
$1" 2>err; }

is "$(python 'print(attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)))')" EPERM "AF_PACKET is EPERM"
like "$(cat err)" "^berth: .*(socket|AF_PACKET|packet)" "… and berth says so, with the call's name"
is "$(grep -c '^berth' err)" 1 "… in one line"
is "$(python 'print(*(attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)) for i in range(5)))')" \
	"EPERM EPERM EPERM EPERM EPERM" "asked five times, it is EPERM five times"
is "$(grep -c '^berth' err)" 1 "… and said once"
is "$(python 'print(attempt(lambda: socket.socket(socket.AF_INET, 10, 3)))')" EPERM "the old SOCK_PACKET is EPERM, too"
like "$(python 'print(attempt(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM, 0)))')" "^(EAFNOSUPPORT|EPERM)$" "AF_VSOCK is not there"
like "$(python 'print(attempt(lambda: socket.socket(socket.AF_BLUETOOTH, socket.SOCK_STREAM, 3)))')" "^(EAFNOSUPPORT|EPERM)$" "nor is AF_BLUETOOTH"
like "$(python 'print(attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)))')" "^EPROTONOSUPPORT$" "SCTP is EPROTONOSUPPORT"
is "$(python 'r = libc.syscall(425, 8, ctypes.create_string_buffer(256)); print(r, errno.errorcode[ctypes.get_errno()])')" "-1 ENOSYS" \
	"io_uring_setup is ENOSYS"
like "$(cat err)" "^berth: .*io_uring_setup.*ENOSYS" "… and said"
is "$(python 's = socket.socket(); print(*(attempt(lambda: s.setsockopt(socket.IPPROTO_TCP, 31, b"tls")) for i in range(3)))')" \
	"ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT" "an option that is not there is ENOPROTOOPT"
is "$(grep -c '^berth: .*setsockopt(IPPROTO_TCP, 31).*ENOPROTOOPT' err)/$(grep -c . err)" 1/1 "… and said once"
is "$(python 'a, b = socket.socketpair(); a.send(b"x"); print(b.recv(1).decode())')" x "AF_UNIX is the program's own affair"

# A real listener on the real machine: nothing that a program does may reach it.
port=$(free_port)
"$PYTHON" -u -c "
import socket
s = socket.create_server(('127.0.0.1', $port), backlog=8)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', $port))
print('ready', flush=True)
import select
while True:
    for x in select.select([s, u], [], [])[0]:
        print('REACHED', flush=True)
        x.accept() if x is s else x.recv(100)
" >real.log 2>&1 &
started+=("$!")
until_true 10 grep -qs ready real.log

is "$(python "print(attempt(lambda: socket.create_connection(('127.0.0.1', $port), timeout=5)))")" ECONNREFUSED \
	"connecting to a real listener's port on 127.0.0.1 is refused"
is "$(python "
s = socket.socket(); s.setblocking(False); r = s.connect_ex(('127.0.0.1', $port))
import select
select.select([], [s], [], 5); print(errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or r])")" ECONNREFUSED "… non-blocking as well"
python "
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b'x', ('127.0.0.1', $port)); u.sendmsg([b'x'], [], 0, ('127.0.0.1', $port))
u.connect(('127.0.0.1', $port)); attempt(lambda: u.send(b'x')); attempt(lambda: u.send(b'x'))" >/dev/null
python "s = socket.socket(socket.AF_INET6); print(attempt(lambda: s.connect(('::ffff:127.0.0.1', $port))))" >out
like "$(cat out)" "ECONNREFUSED" "… by its mapped IPv6 address as well"
like "$(python "
s = socket.socket()
print(attempt(lambda: s.sendto(b'x', 0x20000000, ('127.0.0.1', $port))))")" "^E" "… with MSG_FASTOPEN as well"
# A 32-bit call (int 0x80 from 64-bit code): socketcall would go round a 64-bit filter.
is "$(python "
import mmap
code = bytes.fromhex('53b866000000bb01000000b900000000cd805bc3')  # push rbx; mov eax,102; mov ebx,1; mov ecx,0; int 0x80; pop rbx; ret
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC); m.write(code)
f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
r = f(); print(errno.errorcode.get(-r, r))" 2>&1 | tail -n 1)" ENOSYS "32-bit system calls are ENOSYS"
like "$(cat err)" "^berth: .*32-bit system calls.*ENOSYS" "… and said"

# A descriptor that the program inherits is closed or no socket of the real network's.
like "$(exec 3<>"/dev/tcp/127.0.0.1/$port" 2>/dev/null; python "
s = socket.socket(fileno=3) if os.path.exists('/proc/self/fd/3') else None
print(attempt(lambda: s.connect(('127.0.0.1', $port))) if s else 'closed')")" "^(closed|E)" "an inherited TCP socket is of no use"
reached=$(grep -c REACHED real.log)
[ "$reached" -le 1 ] # the inherited one was connected by this test itself, outside
ok $? "the real listener saw nobody ($reached of 1: this test's own)"

like "$(python "print(attempt(lambda: socket.create_connection(('192.0.2.1', 80), timeout=5)))")" "^(ENETUNREACH|EHOSTUNREACH)$" \
	"an address of the real Internet is unreachable, at once"
like "$(python "
try: socket.getaddrinfo('www.example.com', 80); print('found')
except socket.gaierror as e: print('unknown')")" "unknown" "a name of the real Internet is unknown"
finish
