#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The Linux kernel's own TCP opposite ours, over a TAP device and over a veth
# pair, by AF_PACKET and by AF_XDP: both directions, both roles, IPv4 and IPv6, in a network namespace that
# goes away with this test. Needs root.
keep_root=1
. "$(dirname "$0")/lib.sh"

peer=${BUILD:-$lib_top/build}/tests/e2e/kernel_peer
[ -x "$peer" ] || { ok 1 "$peer is built"; finish; }
own_network
echo 0 >/proc/sys/net/ipv4/ip_forward 2>/dev/null

# The kernel's end, a python program: as a server it sends back what it gets; as
# a client it sends MIB of noise and compares what comes back.
cat >kernel.py <<'END'
import os, socket, sys, threading, time
role, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if role == "server":
    s = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    print("listening", flush=True)
    c, _ = s.accept()
    while data := c.recv(1 << 16):
        c.sendall(data)
    print("end of file", flush=True)
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
    began = time.monotonic()
    threading.Thread(target=send).start()
    got = bytearray()
    while data := c.recv(1 << 16):
        got += data
    print("right" if got == blob else "WRONG: %d of %d bytes" % (len(got), len(blob)))
    print("%.0f Mbit/s each way" % (len(blob) * 8 / 1e6 / (time.monotonic() - began)), file=sys.stderr)
END

mib=$((32 / slow))
option= # -n: without offload
dialogue() { # KIND DEVICE KERNEL-ADDRESS OUR-ADDRESS LENGTH SENTENCE
	local kind=$1 device=$2 theirs=$3 ours=$4 length=$5 out
	rm -f ours.log theirs.log # what the one before said must not count
	timeout 100 "$peer" $option "$kind:$device" "$ours" "$length" listen 7 >ours.log 2>&1 &
	started+=("$!")
	until_true 30 grep -qs listening ours.log || show "kernel_peer" "$(cat ours.log)"
	[ "$kind" != tap ] || prepare_tap "$device"
	out=$(timeout 100 "$PYTHON" kernel.py client "$ours" 7 $((mib << 10)) 2>rate)
	is "$out" right "$6: the kernel connects to us, $mib MiB there and back"
	note "$(cat rate)"
	note "ours: $(grep twice ours.log)"
	wait "${started[-1]}"
	is "$?/$(tail -n 1 ours.log | sed 's/,.*//')" "0/echoed $((mib << 20)) bytes" "… and our end saw all of it, and its end"

	[ "$kind" != tap ] || { ip link del "$device" 2>/dev/null; ip tuntap add "$device" mode tap && prepare_tap "$device"; }
	timeout 100 "$PYTHON" -u kernel.py server "$theirs" 7 >theirs.log 2>&1 &
	started+=("$!")
	until_true 30 grep -qs listening theirs.log || show "the kernel's server" "$(cat theirs.log)"
	out=$(timeout 100 "$peer" $option "$kind:$device" "$ours" "$length" connect "$theirs" 7 $((mib << 10)) 2>notes)
	is "${out%,*}" "$((mib << 20)) bytes came back right" "$6: we connect to the kernel, $mib MiB there and back"
	note "ours: $(grep twice notes)"
	until_true 5 grep -qs "end of file" theirs.log
	ok $? "… and the kernel saw our end"
	stop "${started[-1]}"
}

prepare_tap() {
	ip addr add 10.66.0.1/24 dev "$1"
	ip addr add fd66::1/64 dev "$1" nodad
	ip link set "$1" up
}

if [ -e /dev/net/tun ]; then
	dialogue tap berthtap0 10.66.0.1 10.66.0.2 24 "TAP, IPv4"
	ip link del berthtap0 2>/dev/null
	dialogue tap berthtap0 fd66::1 fd66::2 64 "TAP, IPv6"
	ip link del berthtap0 2>/dev/null
	option=-n
	dialogue tap berthtap0 10.66.0.1 10.66.0.2 24 "TAP without offload, IPv4"
	ip link del berthtap0 2>/dev/null
	option=
else
	skip "TAP" "no /dev/net/tun here"
fi

# Segments whose checksum the kernel found wrong: ours.
bad_checksums() {
	awk '$1 == "Tcp:" && !column { for (i = 1; i <= NF; i++) if ($i == "InCsumErrors") column = i; next }
		$1 == "Tcp:" { print $column }' /proc/net/snmp
}

# By AF_XDP, whose frames are always as on a wire: over the pair that is there, whose offloads are off, and one with two queues.
xdp() {
	local out holder
	dialogue xdp berthv1 10.67.0.1 10.67.0.2 24 "AF_XDP, IPv4"
	dialogue xdp berthv1 fd67::1 fd67::2 64 "AF_XDP, IPv6"
	rm -f ours.log
	timeout 100 "$peer" xdp:berthv1 10.67.0.2 24 listen 7 >ours.log 2>&1 &
	holder=$!
	started+=("$holder")
	until_true 30 grep -qs listening ours.log
	ip -d link show berthv1 | grep -q xdp
	ok $? "the program is at the interface"
	out=$(timeout 20 "$peer" xdp:berthv1 10.67.0.3 24 listen 7 2>&1)
	is "$?/$out" "1/kernel_peer: xdp:berthv1: Device or resource busy" "an interface has one owner"
	kill -KILL "$(pgrep -P "$holder")"
	wait "$holder" 2>/dev/null
	until_true 10 eval '! ip -d link show berthv1 | grep -q xdp'
	ok $? "who is killed leaves no program behind"
	out=$(timeout 20 "$peer" xdp:nothere0 10.67.0.3 24 listen 7 2>&1)
	is "$?/$out" "1/kernel_peer: xdp:nothere0: No such device" "an interface that is not there"
	ip link add berthv2 numrxqueues 2 numtxqueues 2 type veth peer name berthv3 numrxqueues 2 numtxqueues 2
	ip addr add 10.69.0.1/24 dev berthv2
	ip link set berthv2 up
	ip link set berthv3 up
	no_offload berthv2 berthv3
	dialogue xdp berthv3 10.69.0.1 10.69.0.2 24 "AF_XDP, an interface of two queues"
}

if ip link add berthv0 type veth peer name berthv1 2>/dev/null; then
	ip addr add 10.67.0.1/24 dev berthv0
	ip addr add fd67::1/64 dev berthv0 nodad
	ip link set berthv0 up
	ip link set berthv1 up
	dialogue packet berthv1 10.67.0.1 10.67.0.2 24 "veth, IPv4, frames as the kernel leaves them"
	dialogue packet berthv1 fd67::1 fd67::2 64 "veth, IPv6, frames as the kernel leaves them"
	no_offload berthv0 berthv1
	ok $? "the veth's offloads can be switched off"
	option=-n
	dialogue packet berthv1 10.67.0.1 10.67.0.2 24 "veth, IPv4, frames as on a wire, checksums verified"
	dialogue packet berthv1 fd67::1 fd67::2 64 "veth, IPv6, frames as on a wire, checksums verified"
	if "$PYTHON" -c 'import socket; socket.socket(44, socket.SOCK_RAW)' 2>/dev/null; then
		xdp
	else
		skip "AF_XDP" "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)"
	fi
else
	skip "veth" "no veth device can be made here"
fi
is "$(bad_checksums)" 0 "the kernel found no wrong checksum in what we sent"
finish
