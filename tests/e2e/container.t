#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where pidfd_getfd(), unshare(), setns() and mount() are refused, as by Docker's
# default profile, programs run all the same; where nothing can be done, it is
# said why and what helps.
. "$(dirname "$0")/lib.sh"

confine=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/confine
[ -x "$confine" ] || confine=${BUILD:-$lib_top/build}/tests/e2e/confine
[ -x "$confine" ] || { ok 1 "$confine is built"; finish; }
"$confine" docker true || skip_all "no seccomp filter can be installed here"
here=$BERTH
printf '#!/bin/sh\nexec %s docker %s "$@"\n' "$confine" "$here" >confined
chmod 755 confined
BERTH=$WORK/confined

cat >server.py <<'END'
import socket, threading
l = socket.create_server(("", 80)); u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("", 80))
def datagrams():
    while True: u.sendto(*u.recvfrom(100))
threading.Thread(target=datagrams, daemon=True).start()
def talk(c):
    while data := c.recv(65536): c.sendall(data)
    c.close()
while True: threading.Thread(target=talk, args=l.accept()[:1], daemon=True).start()
END
cat >client.py <<'END'
import array, errno, os, socket, sys
def attempt(f):
    try: return f()
    except OSError as e: return errno.errorcode[e.errno]
server = ("server", 80)
c = socket.create_connection(server); c.settimeout(20); c.sendall(b"tcp"); print(c.recv(10).decode(), c.getpeername()[1])
c.shutdown(socket.SHUT_WR); print("end" if c.recv(10) == b"" else "more"); c.close()
u = socket.socket(type=socket.SOCK_DGRAM); u.settimeout(20); u.sendto(b"udp", server); d, a = u.recvfrom(10); print(d.decode(), a[1])
u.connect(server); u.send(b"again"); print(u.recv(10).decode())
# A closed listener's port is free at once, and what is closed without a word ends at the other end.
for i in range(20):
    l = socket.socket(); l.bind(("127.0.0.1", 4000)); l.listen(); l.close()
print("free")
l = socket.create_server(("127.0.0.1", 4001)); a = socket.create_connection(("127.0.0.1", 4001)); b = l.accept()[0]
if os.fork() == 0: a.close(); os._exit(0)
os.wait(); a.close(); b.settimeout(20); print("closed" if b.recv(10) == b"" else "more")
# Copies: dup, fork, exec, SCM_RIGHTS.
x, y = socket.socketpair(); s = socket.socket(); socket.send_fds(x, [b"x"], [s.fileno()]); s.close()
t = socket.socket(fileno=socket.recv_fds(y, 1, 1)[1][0]); t.connect(("127.0.0.1", 4001)); print("passed", t.getpeername()[1])
s = socket.socket(); s.setblocking(False); r = s.connect_ex(("127.0.0.1", 4002))
import select; select.select([], [s], [], 20); print(errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or r])
print(socket.if_nameindex()[0][1], attempt(lambda: l.bind(("127.0.0.1", 4003))))
END
start server "$PYTHON" server.py
await_port server 80
is "$(on client "$PYTHON" client.py 2>&1 | paste -sd ' ')" \
	"tcp 80 end udp 80 again free closed passed 4001 ECONNREFUSED lo EINVAL" "TCP and UDP work as elsewhere, closing, dup, fork and passing too"
is "$(on client "$PYTHON" -c "
import socket
for i in range(600):
    s = socket.create_connection(('server', 80)); s.sendall(b'x'); assert s.recv(1) == b'x'; s.close()
    u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('', 0)); u.close()
print('done')" 2>&1)" done "1,200 sockets one after the other: what is closed is given back"
like "$("$BERTH" doctor)" "pidfd_getfd\(\) .*refused.*/proc" "berth doctor tells which way is used"
is "$("$BERTH" doctor >/dev/null; echo $?)" 0 "… and that programs can be run"

like "$("$BERTH" doctor)" "container +.*refuses pidfd_getfd, unshare, setns, mount" "… and what the profile refuses"
stop "${started[0]}"

# Nor are process_vm_readv(), process_vm_writev() and close_range() to be had.
printf '#!/bin/sh\nexec %s no-memory %s "$@"\n' "$confine" "$here" >confined
start server "$PYTHON" server.py
await_port server 80
is "$(on client "$PYTHON" client.py 2>&1 | paste -sd ' ')" \
	"tcp 80 end udp 80 again free closed passed 4001 ECONNREFUSED lo EINVAL" "without the calls into a process' memory its file does"
like "$("$BERTH" doctor)" "^\[--\] memory +.*by /proc/PID/mem only" "berth doctor says so"
is "$("$BERTH" doctor >/dev/null; echo $?)" 0 "… and that programs can be run"
stop "${started[-1]}"

# Where it can't be helped.
BERTH=$here
like "$("$confine" no-signalfd "$BERTH" run --net "$NET" -- true 2>&1)" "can't be started: .*see container in berth doctor" \
	"a profile that refuses more is said to be the reason"
like "$("$confine" no-signalfd "$BERTH" doctor)" "^\[NO\] container .*refuses signalfd4" "… and berth doctor says what it is"
like "$("$confine" watched "$BERTH" run --net "$NET" -- true 2>&1)" \
	"watched by somebody else already, process [0-9]+ \(confine\).*start berth from outside.*see seccomp in berth doctor" "who listens is named, where it can be seen"
like "$("$confine" watched "$BERTH" doctor)" "process [0-9]+ \(confine\) listens already" "… by berth doctor, too"
scope=/proc/sys/kernel/yama/ptrace_scope
echo 2 >scope
if [ -e $scope ] && unshare -rm mount --bind scope $scope 2>/dev/null; then
	yama() { unshare -rm sh -c "mount --bind scope $scope; exec setpriv --bounding-set=-all --inh-caps=-all -- \"\$@\"" sh "$BERTH" "$@" 2>&1; }
	like "$(yama run --net "$NET" -- true)" "ptrace_scope of 2 forbids.*see yama in berth doctor" "Yama's scope of 2 is said to be the reason"
	like "$(yama doctor)" "^\[NO\] yama .*2" "… by berth doctor, too"
else
	skip "Yama's scope of 2 is said to be the reason" "there is no Yama here"
fi
like "$("$confine" listener "$BERTH" run --net "$NET" -- true 2>&1; echo $?)" \
	"^berth: can't run a program here: its system calls are watched by somebody else.*berth doctor" "another's listener is said to be the reason"
"$confine" listener "$BERTH" run --net "$NET" -- true 2>/dev/null
is $? 125 "… with exit code 125"
like "$("$confine" listener "$BERTH" doctor)" "listener is there already" "berth doctor says so as well"
like "$("$confine" no-seccomp "$BERTH" run --net "$NET" -- true 2>&1)" "the kernel refuses a system call filter.*seccomp in berth doctor" \
	"where seccomp(2) is refused, that is said"
finish
