#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A stack on a TAP device under attack: generated frames (attack.py), floods by
# hping3, a look by nmap; and all the while the kernel's TCP asks it for pages.
# In a network namespace that goes away with this test. Needs root.
#
# SECONDS_EACH (1) is how long each attack lasts, SEED the generator's, FLOOD=1
# has hping3 send as fast as it can, NMAP=1 runs nmap. `make attack` sets them.
keep_root=1
. "$(dirname "$0")/lib.sh"

attacked=${BUILD:-$lib_top/build}/tests/e2e/attacked
[ -x "$attacked" ] || { ok 1 "$attacked is built"; finish; }
[ -e /dev/net/tun ] || skip_all "no /dev/net/tun here"
own_network curl

each=${SECONDS_EACH:-1}
seed=${SEED:-$RANDOM}
limit=16384 # KiB
ip tuntap add berthtap0 mode tap
ip addr add 10.66.0.1/24 dev berthtap0
ip addr add fd66::1/64 dev berthtap0 nodad
ip link set berthtap0 up
timeout 3600 "$attacked" tap:berthtap0 "$limit" 10.66.0.2/24 fd66::2/64 >server.log 2>server.err &
server=$!
started+=("$server")
until_true 30 grep -qs listening server.log || show "attacked" "$(cat server.err)"

page() { # ADDRESS: is the page that the server has what comes?
	curl -s --noproxy '*' --max-time $((10 * slow)) -o page "http://$1/" && cmp -s page wanted
}

# Pages until the attack, a process, is over; one at least after its begin. How many came, of how many.
visit_during() { # PID
	local got=0 tried=0
	while [ "$tried" -eq 0 ] || ! gone "$1"; do
		tried=$((tried + 1))
		if [ $((tried % 2)) = 1 ]; then page 10.66.0.2; else page '[fd66::2]'; fi && got=$((got + 1))
	done
	visits="$got of $tried"
	[ "$got" -gt 0 ]
}

attack() { # SENTENCE COMMAND…
	local sentence=$1 pid
	shift
	timeout -s INT -k 5 $((each * 4 + 600)) nice -n 10 "$@" >attack.out 2>&1 </dev/null &
	pid=$!
	started+=("$pid")
	visit_during "$pid"
	ok $? "$sentence: pages come meanwhile"
	wait "$pid"
	note "$visits pages; $(tail -n 1 attack.out)"
	until_true 30 page 10.66.0.2 && until_true 30 page '[fd66::2]'
	ok $? "… and afterwards, over IPv4 and IPv6"
}

hping() { # OPTION…: for as long as an attack lasts
	local rate=(-i u100)
	[ -z "${FLOOD:-}" ] || rate=(--flood)
	attack "hping3 $*" timeout -s INT "$each" hping3 -q "${rate[@]}" "$@" 10.66.0.2
}

# What the page must be, made here.
"$PYTHON" -c 'print("".join(chr(97 + i * 7 % 25 + i // 1000 % 2) for i in range(100000)), end="")' >wanted
until_true 30 page 10.66.0.2
ok $? "the server answers"
until_true 30 page '[fd66::2]'
ok $? "… over IPv6, too"

note "seed $seed"
attack "mutated frames of every kind" "$PYTHON" "$lib_top/tests/e2e/attack.py" berthtap0 "$seed" $((each * 2))
frames=$(tail -n 1 attack.out)
[ "$frames" -ge 1000 ] 2>/dev/null
ok $? "thousands of frames were sent"

if command -v hping3 >/dev/null; then
	hping -S -p 80 --rand-source
	hping -A -p 80 --rand-source
	hping -R -p 80 --rand-source
	hping -S -p 80 -f -d 120 # SYNs with data, in fragments of 16 bytes
	hping -2 -p 7 -x -g 8 -d 64 --rand-source # ends that never come
	hping -1 -d 1000
else
	skip "floods" "hping3 is not installed"
fi
if [ -z "${NMAP:-}" ]; then
	skip "nmap -A -T4" "takes a minute; make attack runs it"
elif command -v nmap >/dev/null; then
	attack "nmap -A -T4" timeout 300 nmap -A -T4 -n -p 1-200,8080 10.66.0.2
	like "$(grep ^80/ attack.out)" "open" "… which finds the open port"
else
	skip "nmap -A -T4" "nmap is not installed"
fi

kill -TERM "$server"
wait "$server"
is "$?" 0 "the server ends in order when told to"
value() { awk -v name="$1" '$1 == name { print $2 }' server.log; }
note "$(tr '\n' ',' <server.log)"
is "$(value left)" 0 "nothing is left of its memory"
[ "$(value used)" -le "$(value limit)" ]
ok $? "what its sockets and packets held stayed inside the limit"
[ "$(value allocated)" -le "$(value limit)" ]
ok $? "… and so did all that the stack ever allocated"
finish
