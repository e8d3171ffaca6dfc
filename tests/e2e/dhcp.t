#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Our DHCP client, and servers that others wrote: dnsmasq with every option we
# know, over a veth pair; busybox's udhcpd with a lease of seconds, over TAP.
# In a network namespace that goes away with this test. Needs root.
keep_root=1
. "$(dirname "$0")/lib.sh"

client=${BUILD:-$lib_top/build}/tests/e2e/dhcp_client
[ -x "$client" ] || { ok 1 "$client is built"; finish; }
command -v dnsmasq >/dev/null || command -v udhcpd >/dev/null || skip_all "neither dnsmasq nor udhcpd is installed"
own_network

# A host that answers for an address by ARP, and does nothing else.
cat >somebody.py <<'END2'
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x806))
s.bind((sys.argv[1], 0x806))
mac, ip = b"\x02\0\0\0\0\x99", socket.inet_aton(sys.argv[2])
while True:
    frame = s.recv(2000)
    if frame[20:22] == b"\0\1" and frame[38:42] == ip:
        s.send(frame[6:12] + mac + frame[12:20] + b"\0\2" + mac + ip + frame[22:32])
END2

run_dnsmasq() {
	dnsmasq --no-daemon --conf-file=/dev/null --user=root --port=0 --no-ping --interface=berthd0 --bind-interfaces \
		--dhcp-range=10.68.0.50,10.68.0.59,255.255.255.0,2m --dhcp-option=option:router,10.68.0.1 \
		--dhcp-option=option:dns-server,10.68.0.53 --dhcp-option-force=26,1400 --dhcp-sequential-ip \
		--dhcp-leasefile="$WORK/leases" --log-dhcp "$@" >dnsmasq.log 2>&1 &
	started+=("$!")
	until_true 10 grep -q "DHCP, sockets bound" dnsmasq.log || show dnsmasq "$(cat dnsmasq.log)"
}

if ! command -v dnsmasq >/dev/null; then
	skip "dnsmasq" "it is not installed"
elif ! ip link add berthd0 type veth peer name berthd1 2>/dev/null; then
	skip "dnsmasq" "no veth device can be made here"
else
	ip addr add 10.68.0.1/24 dev berthd0
	ip link set berthd0 up
	ip link set berthd1 up
	run_dnsmasq
	out=$(timeout 100 "$client" packet berthd1 bind 10.68.0.1 2>&1)
	is "$out" "10.68.0.50/24 router 10.68.0.1 dns 10.68.0.53 mtu 1400 lease 60 s
renewed 0 times" "dnsmasq leases an address, and all that it says is understood"
	like "$(cat dnsmasq.log)" "DHCPACK.*10.68.0.50 .*boat" "… it knows our name"
	until_true 10 grep -q "DHCPRELEASE.*10.68.0.50" dnsmasq.log
	ok $? "… and gets the address back"
	stop "${started[-1]}"

	# Somebody has an address that dnsmasq knows nothing of. --no-ping: only we find out.
	rm -f leases
	"$PYTHON" somebody.py berthd0 10.68.0.50 &
	started+=("$!")
	somebody=$!
	run_dnsmasq
	timeout 100 "$client" packet berthd1 decline
	ok $? "an address that somebody has is declined"
	until_true 10 grep -q "DHCPDECLINE.*10.68.0.50" dnsmasq.log
	ok $? "… and dnsmasq is told"
	stop "${started[-1]}"
	stop "$somebody"
	ip link del berthd0
fi

if ! command -v udhcpd >/dev/null; then
	skip "udhcpd" "it is not installed"
elif [ ! -e /dev/net/tun ] || ! ip tuntap add berthd2 mode tap 2>/dev/null; then
	skip "udhcpd" "no TAP device can be made here"
else
	ip addr add 10.69.0.1/24 dev berthd2
	ip link set berthd2 up
	cat >udhcpd.conf <<-END2
		start 10.69.0.20
		end 10.69.0.29
		interface berthd2
		lease_file $WORK/udhcpd.leases
		pidfile $WORK/udhcpd.pid
		min_lease 4
		opt subnet 255.255.255.0
		opt staticroutes 10.70.0.0/16 10.69.0.1
		opt lease 8
	END2
	: >udhcpd.leases
	udhcpd -f udhcpd.conf >udhcpd.log 2>&1 &
	started+=("$!")
	out=$(timeout 100 "$client" tap berthd2 2 10.70.1.1 2>&1)
	like "$out" "^10.69.0.2[0-9]/24 router .* mtu 0 lease 4 s
renewed 2 times$" "udhcpd leases an address for eight seconds, and renews it twice"
	stop "${started[-1]}"
fi
finish
