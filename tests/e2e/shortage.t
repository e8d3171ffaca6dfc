#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What runs out, and stays so for a while: descriptors of the daemon, of a supervisor, of a program; disks that captures,
# lists and the network's own directory are on. What ends says so, nobody hangs or spins, and when it is there again all is well.
. "$(dirname "$0")/lib.sh"

cat >server.py <<'END'
import socket, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 9))
def datagrams():
    while True: d, a = u.recvfrom(2000); u.sendto(d, a)
threading.Thread(target=datagrams, daemon=True).start()
l = socket.create_server(("", 7), backlog=500)
kept = []
while True: kept.append(l.accept()[0])
END
# Everything once, after each line of standard input; "fill" before: connections, and then UDP sockets, until there are no
# more; "free": all closed. Of a name glibc says EINVAL where there is no descriptor to ask with, or what the call said.
cat >try.py <<'END'
import errno, select, socket, sys, time
ip = socket.gethostbyname("server")
old = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); old.settimeout(10)
kept = []
def echo(u):
    u.sendto(b"hello", (ip, 9)); d, a = u.recvfrom(10); return "good" if (d, a) == (b"hello", (ip, 9)) else "bad"
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u: u.settimeout(10); return echo(u)
def stream():
    with socket.create_server(("", 0)) as l, socket.create_connection(l.getsockname(), timeout=10) as c:
        c.sendall(b"y")
        if c in select.select([l, c], [], [], 10)[0]: return "end" if c.recv(1) == b"" else "bad"
        with l.accept()[0] as a: return "good" if a.recv(2) == b"y" else "bad"
def made():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM): return "good"
def interfaces(): return "good" if socket.if_nameindex() else "bad"
def name(): return "good" if socket.gethostbyname("server") == ip else "bad"
def fill():
    end = "no end"
    while len(kept) < 400 and end == "no end":
        s = socket.socket(); s.settimeout(10); s.connect((ip, 7)); s.settimeout(0.02)
        try:
            s.sendall(b"x")
            if s.recv(1) == b"": end = "end"
        except TimeoutError: kept.append(s)
        except OSError as e: end = errno.errorcode[e.errno]
    # What that one had comes free again, a moment later.
    failures = 0
    while failures < 20:
        try: s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 0)); kept.append(s); failures = 0
        except OSError: failures += 1; time.sleep(0.02)
    return end
def attempt(what):
    begin = time.monotonic()
    try: r = what()
    except socket.gaierror as e: r = "gaierror"
    except OSError as e: r = "hangs" if isinstance(e, TimeoutError) else errno.errorcode[e.errno]
    return "%s=%s" % (what.__name__, r + (" slow" if time.monotonic() - begin > 5 else ""))
def old_echo(): return echo(old)
for line in sys.stdin:
    if line == "fill\n": print(attempt(fill), len(kept), flush=True)
    if line == "free\n":
        for s in kept: s.close()
    print(*map(attempt, (made, datagram, old_echo, stream, made, interfaces, name)), flush=True)
END
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
try() { # WORD LINES: what comes of it, the last line
	local answers
	answers=$(($(wc -l <try.log) + $2))
	echo "$1" >&9
	until_true 60 lines try.log "$answers"
	tail -n 1 try.log
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
idles() { # PID: does it wait, in place of asking again and again?
	local before
	before=$(ticks "$1")
	sleep 1
	[ $(($(ticks "$1") - before)) -lt 30 ]
}
well="made=good datagram=good old_echo=good stream=good made=good interfaces=good name=good"

mkfifo go
(ulimit -n 60; exec "$BERTH" run --net "$NET" --name server -- "$PYTHON" server.py) >server.log 2>&1 </dev/null &
started+=("$!")
await_port server 7
daemon=$("$BERTH" net inspect "$NET" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
"$BERTH" run --net "$NET" --name try -- "$PYTHON" try.py >try.log 2>try.err <go &
trying=$!
started+=("$trying")
exec 9>go
is "$(try well 1)" "$well" "sockets of all kinds"

short=$(try fill 2)
like "$(head -n 2 try.log | tail -n 1)" "^fill=(end|ECONNRESET|EPIPE|ECONNREFUSED) [1-9]" \
	"the daemon has no descriptor left: a connection that needs one is reset"
like "$short" "made=ENFILE datagram=ENFILE old_echo=good stream=(ECONNRESET|EPIPE|end) made=ENFILE interfaces=ENFILE name=(gaierror|EINVAL|ENFILE)$" \
	"… a new UDP socket fails as on a machine whose table is full, one that is there goes on"
unlike "$short" "hangs|slow" "… and nothing hangs"
idles "$daemon"
ok $? "… nor does the daemon spin"
is "$(grep -c "host 'try': .*daemon has no descriptor left (see open files in berth doctor)" try.err)/$(wc -l <try.err)" 1/1 \
	"… the user is told, once for all of them"
like "$("$BERTH" run --net "$NET" --name other -- true 2>&1; echo $?)" "can't join network '$NET': Too many open files" \
	"… another program is told that it can't join"
for command in ps events "capture -w x.pcapng"; do
	read -ra words <<<"$command"
	like "$(timeout 20 "$BERTH" "${words[0]}" --net "$NET" "${words[@]:1}" 2>&1; echo $?)" \
		"^berth ${words[0]}: network '$NET': its daemon has no descriptor left" "… berth $command: why it gets no answer"
done
try free 1 >/dev/null
# What is closed is closed when the other side has heard of it.
recovers() { [ "$(try well 1)" = "$well" ]; }
until_true 30 recovers
ok $? "when some are closed all is well again"
is "$(on other echo joined)" joined "… and others join"

# A supervisor. Its limit is put to the number that it would get next, for it has its low ones since it began.
supervisor=$(pgrep -P "$trying" -x berth-run)
if [ -n "$supervisor" ] && command -v prlimit >/dev/null; then
	limit=$(prlimit --pid "$supervisor" --nofile --output SOFT --noheadings)
	prlimit --pid "$supervisor" --nofile=4:
	short=$(try short 1)
	like "$short" "^made=EMFILE datagram=EMFILE old_echo=ENOBUFS stream=EMFILE made=EMFILE interfaces=EMFILE name=(gaierror|EINVAL|EMFILE)$" \
		"a supervisor has no descriptor left: its program's calls fail"
	idles "$supervisor"
	ok $? "… nor does it spin"
	prlimit --pid "$supervisor" --nofile="$limit":
	is "$(try well 1)" "$well" "when it has some all is well again"
else
	skip "a supervisor has no descriptor left" "no prlimit"
fi

# A program at its own limit: as Linux has it, and what waits to be accepted still waits.
is "$(on limited "$PYTHON" -c '
import errno, resource, socket
l = socket.create_server(("", 7)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c = socket.create_connection(l.getsockname())
def attempt(what, *arguments):
    try: what(*arguments); return "good"
    except OSError as e: return errno.errorcode[e.errno]
resource.setrlimit(resource.RLIMIT_NOFILE, (c.fileno() + 1, 100))
print(attempt(socket.socket), attempt(socket.socket, socket.AF_INET, socket.SOCK_DGRAM), attempt(l.accept), attempt(l.accept))
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
a = l.accept()[0]; c.sendall(b"x"); print(a.recv(1) == b"x", attempt(socket.socket))')" \
	"EMFILE EMFILE EMFILE EMFILE
True good" "a program at its own limit: EMFILE, and nothing is lost"
exec 9>&-
until_true 20 gone "$trying"

# Disks. What is there so far is cut behind the last whole packet.
start talker "$PYTHON" -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 98)); ip = socket.gethostbyname("server")
while True: s.sendto(b"x" * 1000, (ip, 99)); time.sleep(0.001)'
until_true 10 has_socket talker 98 UNCONN
cat >whole.py <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read(); at = packets = 0
while at < len(data):
    kind, length = struct.unpack_from("<II", data, at)
    assert struct.unpack_from("<I", data, at + length - 4)[0] == length
    packets += kind == 6; at += length
print(packets, "packets")
END
readable() { # FILE ERRORS: as many packets as the command says, all whole
	is "$("$PYTHON" whole.py "$1")" "$(sed -n 's/ captured, .*//p' "$2")" "… the file has the packets that it says, all whole"
	if command -v tshark >/dev/null; then
		[ "$(tshark -r "$1" 2>tshark.err | wc -l)" -gt 10 ] && ! grep -q "cut short\|damaged" tshark.err
		ok $? "… and tshark reads it"
	fi
}
(ulimit -f 40; exec timeout 60 "$BERTH" capture --net "$NET" -w limited.pcapng -i talker) 2>limited.err
is "$?/$(grep -c 'limited.pcapng: File too large; what was written until then can be read' limited.err)" 1/1 \
	"a file's limit ends a capture, with the reason"
readable limited.pcapng limited.err
if [ -c /dev/full ]; then
	for command in "capture" "capture -w /dev/full" events "ss" ps; do
		read -ra words <<<"$command"
		like "$(timeout 60 "$BERTH" "${words[0]}" --net "$NET" "${words[@]:1}" 2>&1 >/dev/full; echo $?)" \
			"^berth.*(standard output|/dev/full): No space left on device" "where nothing can be written: $command says so"
	done
fi
cat >small.sh <<'END'
mount -t tmpfs -o size=64k none small || exit 77
"$BERTH" capture --net "$NET" -w small/full.pcapng -i talker 2>full.err
echo $?
cp small/full.pcapng .
umount small
for inodes in 1 2 3 4 5 6 7 8; do
	mount -t tmpfs -o size=64k,nr_inodes=$inodes none small
	XDG_RUNTIME_DIR=$PWD/small timeout 60 "$BERTH" run --net small$NET -- echo runs >start.out 2>start.err
	code=$?
	for i in $(seq 100); do [ -e small/berth ] || break; sleep 0.1; done
	echo "$code $(wc -l <start.err) $(grep -c "No space left on device (see directory in berth doctor)\$" start.err) $(cat start.out) $(ls small)"
	umount small
done
mount -t tmpfs -o size=16k none small
head -c 100000 /dev/zero >small/fill 2>/dev/null
XDG_RUNTIME_DIR=$PWD/small timeout 60 "$BERTH" run --net small$NET -- echo runs
umount small
END
mkdir small
if unshare -Urm true 2>/dev/null; then
	timeout 200 unshare -Urm bash small.sh >small.out 2>small.err
	is "$(head -n 1 small.out)/$(grep -c 'small/full.pcapng: No space left on device; what was written until then can be read' full.err)" 1/1 \
		"a disk that is full ends a capture, with the reason"
	readable full.pcapng full.err
	is "$(sed 1d small.out | sed '$d' | sort -u)" "0 0 0 runs 
125 1 1  " "no room for the network's directory: a line says so, and nothing is left; or there is enough, and it runs"
	is "$(tail -n 1 small.out)" runs "a disk without a free byte is enough for a network"
else
	skip "a full disk" "no mount namespace can be made here"
fi

# What is kept of a program in the background needs no disk.
is "$(on late echo works)" works "the network does not notice any of it"
finish
