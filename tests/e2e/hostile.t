#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A program that means harm (hostile.c): not a packet of its reaches the real
# network, it does not get at the supervisor, the daemon or another host, nobody
# else notices, and nothing is left of it. docs/security.md says what for.
[ -z "${IN_NAMESPACE:-}" ] || keep_root=1 # mapped: nobody, in truth
. "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
hostile=$here/hostile
[ -x "$hostile" ] || hostile=${BUILD:-$lib_top/build}/tests/e2e/hostile
[ -x "$hostile" ] || { ok 1 "$hostile is built"; finish; }
cp "$hostile" "$WORK/hostile"
cp "${hostile}_shim" "$WORK/hostile_shim"
if [ -z "${IN_NAMESPACE:-}" ] && unshare -Urn true 2>/dev/null && command -v ip setpriv >/dev/null; then
	# A network namespace with nobody else in it.
	again_in unshare -Urn
fi

# A real network in which all is counted: a default route by a veth, whose other end is deaf.
counted=
if [ -n "${IN_NAMESPACE:-}" ]; then
	for file in all default; do echo 1 >"/proc/sys/net/ipv6/conf/$file/disable_ipv6"; done 2>/dev/null
	ip link set lo up
	ip link add real type veth peer name deaf 2>/dev/null && ip link set deaf up && ip link set real up &&
		ip address add 198.51.100.1/24 dev real &&
		ip neigh add 198.51.100.7 lladdr 02:00:00:00:00:07 dev real && ip route add default via 198.51.100.7 &&
		counted=yes
fi
# Packets that any interface of the real network has sent, and what IP was asked to.
packets() { awk 'NR > 2 { sub(/^[^:]*:/, ""); sent += $10 } END { print sent }' /proc/net/dev; }
asked() { awk '$1 == "Ip:" && !column { for (i = 2; i <= NF; i++) if ($i == "OutRequests") column = i; next }
	$1 == "Ip:" { print $column }' /proc/net/snmp; }
if [ -n "$counted" ]; then
	"$PYTHON" -c 'import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("198.51.100.7", 53))'
	is "$(packets) $(asked)" "1 1" "a packet into the real network would be counted"
	before="$(packets) $(asked)"
fi

# With no privilege, also where this is root of its own namespace.
plain=(env)
[ -z "${IN_NAMESPACE:-}" ] || plain=(setpriv --bounding-set=-all --inh-caps=-all --)
attack() { # NAME [ARGUMENT…]: what hostile says, Berth's words in err
	"${plain[@]}" timeout -k 5 $((90 * slow)) "$BERTH" run --net "$NET" --name villain -- "$WORK/hostile" "$@" 2>err
}

mkdir files
echo "still here" >files/page
"${plain[@]}" "$BERTH" run --net "$NET" --name web -- "$PYTHON" -u -m http.server --directory files 80 >web.log 2>&1 </dev/null &
started+=("$!")
front=$!
await_port web 80
page() { on reader "$PYTHON" -c 'import urllib.request; print(urllib.request.urlopen("http://web/page", timeout=20).read().decode())' 2>&1; }
is "$(page)" "still here" "another host serves"
daemon=$(pgrep -u "$(id -u)" -f "berth daemon --net $NET ")

is "$(attack families | tail -n 5)" held "whatever socket() is asked for, what it gives is no socket of the real network's"
is "$(on villain "$WORK/hostile" families 2>/dev/null | tail -n 5)" held "… nor with all the privileges that there are here"
is "$(attack raw)" held "packets of its own making are not sent there"
is "$(attack netlink)" held "netlink changes nothing"
is "$(attack calls)" held "io_uring, x32, 32-bit calls, tunnels and key requests are refused"
if [ -n "${BERTH_SANITIZED:-}" ]; then
	skip "supervisor, front and daemon are closed to tracing" "the leak check has to trace them"
else
	is "$(attack processes "$daemon" "$front")" held "supervisor, front and daemon are closed to tracing, reading, writing, taking"
fi
is "$(attack tracer)" held "a tracer that turns a call into socket() is seen through"
is "$(attack names "$XDG_RUNTIME_DIR/berth/$NET/run.sock")" held "who knows Berth's abstract names, or forges them, gets nowhere; nor at run.sock"
like "$(on villain "$BERTH" ps --net "$NET" 2>&1)" "inside berth run" "the control API does not answer a program inside"
is "$(page)" "still here" "the other host does not notice"

# Somebody outside who passes sockets of the real network.
cat >outside.py <<'END'
import os, socket
l = socket.socket(socket.AF_UNIX); l.bind("outside"); l.listen(1)
c = l.accept()[0]
real = lambda: socket.socket(type=socket.SOCK_DGRAM)
for f in os.pipe()[0], real(), os.pipe()[0], real(), real():
    socket.send_fds(c, [b"x"], [f if isinstance(f, int) else f.fileno()])
    c.recv(1)
END
"$PYTHON" outside.py &
started+=("$!")
until_true 10 test -S outside
is "$(attack outside "$WORK/outside")" held "a real socket passed from outside is not let in; pipes are"
like "$(cat err)" "passed from outside, is not let in" "… and berth says so"

# Inherited: a UDP socket can be opened without a packet.
like "$("${plain[@]}" "$PYTHON" -c "
import os, socket
s = socket.socket(type=socket.SOCK_DGRAM); os.dup2(s.fileno(), 7)
os.execv('$BERTH', ['berth', 'run', '--net', '$NET', '--name', 'heir', '--', 'sh', '-c', 'ls -l /proc/self/fd/7'])" 2>&1)" \
	"descriptor 7 is a socket of the real network: the program does not get it" "an inherited socket is closed, and that is said"
like "$("${plain[@]}" "$PYTHON" -c "
import os, socket
s = socket.socket(type=socket.SOCK_DGRAM); os.dup2(s.fileno(), 0)
os.execv('$BERTH', ['berth', 'run', '--net', '$NET', '--name', 'heir', '--', 'true'])" 2>&1)" \
	"can't run a program with a socket of the real network as standard input: put a pipe" "as standard input it is refused, with the reason"

# What the shim may, a hostile program may, too: with the magic number, and with what another host's program lends.
start_express() { # NAME [OPTION…] PROGRAM…
	local name=$1
	shift
	"${plain[@]}" "$BERTH" run --net "$NET" --name "$name" --express "$@" >"$name.log" 2>&1 </dev/null &
	started+=("$!")
}
express_attack() { "${plain[@]}" timeout -k 5 $((90 * slow)) "$BERTH" run --net "$NET" --name villain --express -- "$WORK/hostile_shim" "$@" 2>err; }
start_express lender -- "$PYTHON" -u -c '
import socket
s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("", 7))
while True:
    try: d, p = s.recvfrom(65535); d and s.sendto(d, p)
    except OSError as e: print(e)'
await_port lender 7 UNCONN
answers() { "${plain[@]}" timeout $((60 * slow)) "$BERTH" run --net "$NET" --name asker "$@" -- "$PYTHON" -c '
import socket
s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(20); s.sendto(b"still here", (socket.gethostbyname("lender"), 7)); print(s.recv(99).decode())' 2>&1; }
is "$(express_attack magic)" held "with the magic number no call reaches further"
for round in --express --no-express; do
	is "$(express_attack lent lender 7 2)" held "a far end that is lent can be neither read nor shut nor made small, nor by turns with another"
	is "$(answers $round)" "still here" "… and its owner has taken no harm of what was put there"
done
stop "${started[-1]}"
unset "started[-1]"
for options in --shim --no-shim; do # who accepts natively, and who does not
	start_express greeter $options "$PYTHON" -u -c '
import socket
l = socket.create_server(("", 70), backlog=64)
for i in range(8): socket.create_connection(("127.0.0.1", 70)); l.accept()
l.settimeout(None)
while True:
    s = l.accept()[0]
    try: s.send(b"!")
    except OSError: pass'
	await_port greeter 70 LISTEN
	is "$(express_attack tickets greeter 70)" held "connections made natively are those that the daemon said, by who it said ($options)"
	stop "${started[-1]}"
	unset "started[-1]"
done

attack racing $((8000 / slow)) >racing.log
like "$(tail -n 1 racing.log; echo ended)" "^(held|ended)" "arguments and descriptors that change while they are read"
is "$(page)" "still here" "… are noticed by nobody else"
is "$(attack nowhere $((30 / slow)))" held "pointers to nowhere, lengths of 2^63"
is "$(attack exhaust)" held "2,700 sockets, and killed each time"
is "$(page)" "still here" "the other host has not noticed anything"
is "$(pgrep -u "$(id -u)" -f "berth daemon --net $NET ")" "$daemon" "and the daemon is the same"

if [ -n "$counted" ]; then
	is "$(packets) $(asked)" "$before" "not a packet has reached the real network"
else
	skip "not a packet has reached the real network" "no network namespace can be made here to count in"
fi
alone() { [ "$("$BERTH" ps --net "$NET" | tail -n +2 | wc -l)" = 1 ]; }
until_true 10 alone
ok $? "and nothing is left of the villain"
finish
