#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs of UDP datagrams between a stack of ours and the kernel, by UDP_SEGMENT
# and UDP_GRO at both ends: over TAP and veth they pass as one frame in either
# direction (VIRTIO_NET_HDR_GSO_UDP_L4), and one by one where that is off.
keep_root=1
. "$(dirname "$0")/lib.sh"

peer=${BUILD:-$lib_top/build}/tests/e2e/kernel_udp
[ -x "$peer" ] || { ok 1 "$peer is built"; finish; }
own_network

# The kernel's end: sends TURNS times 40 datagrams of 1,000 bytes in one call, and
# reads until as many have come back; how they were cut is checked by their sizes.
cat >kernel.py <<'END'
import os, socket, struct, sys, time
UDP_SEGMENT, UDP_GRO = 103, 104
address, port, turns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
s.setsockopt(17, UDP_SEGMENT, 1000)
s.setsockopt(17, UDP_GRO, 1)
s.settimeout(30)
s.connect((address, port))
reads = 0
for turn in range(turns):
    blob, got = os.urandom(39500), b""
    s.send(blob)
    while len(got) < len(blob):
        data, control, _, _ = s.recvmsg(65536, 64)
        sizes = [struct.unpack("i", value[:4])[0] for level, kind, value in control if (level, kind) == (17, UDP_GRO)]
        size = sizes[0] if sizes else len(data)
        if size > 1000:
            sys.exit("WRONG: a datagram of %d bytes" % size)
        got += data
        reads += 1
    if got != blob:
        sys.exit("WRONG: turn %d" % turn)
print("right", reads)
END

dialogue() { # OPTION KIND DEVICE OUR-ADDRESS/LENGTH FRAMES-AT-MOST FRAMES-AT-LEAST SENTENCE
	local ours=${4%/*} out
	rm -f ours.log
	timeout 100 "$peer" $1 "$2:$3" "$4" 7 $((20 * 39500)) >ours.log 2>&1 &
	started+=("$!")
	until_true 30 grep -qs listening ours.log || show "kernel_udp" "$(cat ours.log)"
	[ "$2" != tap ] || prepare "$3"
	# The kernel's neighbour entry first: a datagram's wait for it would cut a run.
	until_true 15 ping -c 1 -W 1 -q "$ours" >/dev/null
	out=$(timeout 100 "$PYTHON" kernel.py "$ours" 7 20 2>&1)
	is "${out% *}" right "$7: 800 datagrams in runs of 40, there and back"
	note "kernel: $out"
	case $out in right*) ;; *) kill "${started[-1]}" ;; esac
	wait "${started[-1]}"
	is "$?" 0 "… and our end had them all"
	note "ours: $(tail -n 1 ours.log)"
	read -r _ _ in _ sent _ < <(tail -n 1 ours.log)
	[ -n "$sent" ] && [ "$in" -le "$5" ] && [ "${sent%,}" -le "$5" ] && [ "$in" -ge "$6" ] && [ "${sent%,}" -ge "$6" ]
	ok $? "… in $6 to $5 frames each way"
}

prepare() {
	ip addr add 10.66.0.1/24 dev "$1"
	ip addr add fd66::1/64 dev "$1" nodad
	ip link set "$1" up
}

new_enough() { # MAJOR.MINOR: this kernel is not older
	[ "$(printf '%s\n%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]
}

few=100 # frames for 20 runs, with what else a network says
new_enough 6.2 || few=10000 # before, the kernel knows of no such runs in this header
if [ -e /dev/net/tun ]; then
	dialogue "" tap berthtap0 10.66.0.2/24 $few 20 "TAP, IPv4"
	ip link del berthtap0 2>/dev/null
	dialogue "" tap berthtap0 fd66::2/64 $few 20 "TAP, IPv6"
	ip link del berthtap0 2>/dev/null
	dialogue -n tap berthtap0 10.66.0.2/24 10000 800 "TAP without offload"
	ip link del berthtap0 2>/dev/null
else
	skip "TAP" "no /dev/net/tun here"
fi
if ip link add berthv0 type veth peer name berthv1 2>/dev/null; then
	prepare berthv0
	ip link set berthv1 up
	dialogue "" packet berthv1 10.66.0.2/24 $few 20 "veth, IPv4"
	dialogue "" packet berthv1 fd66::2/64 $few 20 "veth, IPv6"
	no_offload berthv0 berthv1
	dialogue "" packet berthv1 10.66.0.2/24 10000 20 "veth that cuts runs and makes checksums, IPv4"
	dialogue "" packet berthv1 fd66::2/64 10000 20 "veth that cuts runs and makes checksums, IPv6"
else
	skip "veth" "no veth device can be made here"
fi
bad=$(awk '$1 == "Udp:" && !column { for (i = 1; i <= NF; i++) if ($i == "InCsumErrors") column = i; next }
	$1 == "Udp:" { print $column }' /proc/net/snmp)
is "$bad/$(awk '$1 == "Udp6InCsumErrors" { print $2 }' /proc/net/snmp6)" 0/0 "the kernel found no wrong checksum in what we sent"
finish
