#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Our TCP and the Linux kernel's with each option on and off, at our end (by a
# stack's limits) and at the kernel's (by its sysctls), on a cable of ours that
# is clean, and on one that loses, doubles and swaps: what arrives is compared
# by content, both ends' hashes by each other, and the capture that we write is
# read by tshark, which may find nothing that the cable does not explain.
# MATRIX=full (make test-kernel) plays every case; else one of each.
keep_root=1
. "$(dirname "$0")/lib.sh"

peer=${BUILD:-$lib_top/build}/tests/e2e/kernel_peer
own_network
[ -e /dev/net/tun ] || skip_all "no /dev/net/tun here"
ip tuntap add berthtap0 mode tap
ip addr add 10.66.0.1/24 dev berthtap0
ip addr add fd66::1/64 dev berthtap0 nodad
ip link set berthtap0 up

# The kernel's end: "client" sends KIB of noise and compares what comes back,
# "server" sends back what it gets. Both say the hash (FNV-1a) of what came.
cat >kernel.py <<'END'
import os, socket, sys, threading, time
role, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
def hash_of(data):
    h = 0xcbf29ce484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return "%016x" % h
got = bytearray()
if role == "server":
    s = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    print("listening", flush=True)
    c, _ = s.accept()
    while data := c.recv(1 << 16):
        got += data
        c.sendall(data)
else:
    blob = os.urandom(int(sys.argv[4]) << 10)
    end = time.monotonic() + 15
    while True:
        try:
            c = socket.create_connection((address, port), timeout=60)
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    def send():
        c.sendall(blob)
        c.shutdown(socket.SHUT_WR)
    threading.Thread(target=send).start()
    while data := c.recv(1 << 16):
        got += data
    if got != blob:
        sys.exit("WRONG: %d of %d bytes" % (len(got), len(blob)))
print(hash_of(got), flush=True)
END

sysctls() { # NAME=VALUE…
	local pair
	for pair in tcp_timestamps=1 tcp_sack=1 tcp_window_scaling=1 tcp_ecn=2 "$@"; do
		echo "${pair#*=}" >"/proc/sys/net/ipv4/${pair%=*}"
	done
}

# What tshark warns of, or finds malformed, one message a line. A lossy cable explains what is missing, comes twice
# or out of order, and ACKs that tell so; a machine that stops for a while, a window that fills and a segment that
# was sent again for nothing (D-SACK). A message is in the list with all others of its frame, so that those that only
# tell what happens have to be known, too.
complaints() { # FILE lossy|clean
	tshark -r "$1" -Y '_ws.malformed || _ws.expert.severity >= 0x00600000' -T fields -E aggregator='|' \
		-e frame.number -e _ws.expert.message -e _ws.malformed 2>/dev/null |
		awk -F '\t' -v lossy="$2" '
			$3 != "" { print "frame " $1 ": malformed" }
			{
				n = split($2, messages, "|")
				for (i = 1; i <= n; i++) {
					m = messages[i]
					if (m ~ /window.*completely full|ZeroWindow|window update|Zero [Ww]indow|keep-alive|D-SACK|Duplicate ACK|\(suspected\) retransmission|spurious retransmission/)
						continue
					if (m ~ /Connection (establish|finish)|initiates the connection closing|ECN|Congestion/)
						continue
					if (lossy == "lossy" && m ~ /out-of-order|not captured|wasn.t captured|fast retransmission|reset/)
						continue
					if (m != "")
						print "frame " $1 ": " m
				}
			}'
}

have_tshark=1
command -v tshark >/dev/null 2>&1 || have_tshark=

# One conversation. ROLE is ours.
play() { # ROLE FAMILY CABLE OUR-OPTIONS KERNEL-SYSCTLS AGREED
	local role=$1 family=$2 cable=$3 options=() theirs=10.66.0.1 ours=10.66.0.2 length=24 out word name conditions kib
	name="we are the $role, IPv$family, $cable${4:+, ours: $4}${5:+, kernel: $5}"
	[ "$family" = 4 ] || { theirs=fd66::1 ours=fd66::2 length=64; }
	for word in $4; do options+=(-o "$word"); done
	kib=1000
	conditions="limit 10000"
	[ "$cable" = clean ] || { kib=$((400 / slow)); conditions="delay 1ms 500us loss 1% duplicate 1% reorder 10% limit 10000"; }
	# shellcheck disable=SC2086 # words
	sysctls $5
	rm -f ours.log theirs.log
	ip tcp_metrics flush >/dev/null 2>&1
	if [ "$role" = server ]; then
		timeout 100 "$peer" -c "$conditions" -w cap.pcapng ${options[@]+"${options[@]}"} tap:berthtap0 "$ours" "$length" listen 7 \
			>ours.log 2>&1 &
		started+=("$!")
		until_true 30 grep -qs listening ours.log || show "kernel_peer" "$(cat ours.log)"
		out=$(timeout 100 "$PYTHON" kernel.py client "$ours" 7 "$kib" 2>&1)
		wait "${started[-1]}"
	else
		timeout 100 "$PYTHON" kernel.py server "$theirs" 7 >theirs.log 2>&1 &
		started+=("$!")
		until_true 30 grep -qs listening theirs.log || show "the kernel's server" "$(cat theirs.log)"
		timeout 100 "$peer" -c "$conditions" -w cap.pcapng ${options[@]+"${options[@]}"} tap:berthtap0 "$ours" "$length" connect \
			"$theirs" 7 "$kib" >ours.log 2>&1
		wait "${started[-1]}"
		out=$(tail -n 1 theirs.log)
	fi
	is "$(sed -n 's/.*hash //p' ours.log)" "$out" "$name: what arrives is what was sent"
	is "$(sed -n 's/^agreed: *//p' ours.log)" "$6" "… with what both ends do"
	[ -n "$have_tshark" ] || { skip "… and tshark" "not installed"; return; }
	is "$(complaints cap.pcapng "$cable" | head -n 5)" "" "… and tshark has no complaint that the cable does not explain"
}

all="timestamps sack scaling"
# our options, the kernel's, what is agreed on
cases=(
	"||$all"
	"timestamps=off||sack scaling"
	"sack=off||timestamps scaling"
	"scaling=off||timestamps sack"
	"|tcp_timestamps=0|sack scaling"
	"|tcp_sack=0|timestamps scaling"
	"|tcp_window_scaling=0|timestamps sack"
	"ecn=ask|tcp_ecn=1|$all ecn"
	"ecn=off|tcp_ecn=1|$all"
	"timestamps=off sack=off scaling=off ecn=off|tcp_ecn=0|"
	"|tcp_timestamps=0 tcp_sack=0 tcp_window_scaling=0 tcp_ecn=0|"
)
ways=("4 clean" "6 lossy" "4 lossy" "6 clean")
for i in "${!cases[@]}"; do
	IFS='|' read -r ours kernels agreed <<<"${cases[i]}"
	for role in server client; do
		for k in "${!ways[@]}"; do
			# Each case once; roles, families and cables take turns.
			[ "${MATRIX:-}" = full ] || [ "$role$k" = "$( ((i % 2)) && echo client || echo server)$(((i + i / 4) % 4))" ] ||
				continue
			read -r family cable <<<"${ways[k]}"
			play "$role" "$family" "$cable" "$ours" "$kernels" "$agreed"
		done
	done
done
finish
