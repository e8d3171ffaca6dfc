#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: ip, ss, netstat
# Needs: ip ss netstat
# Packages: iproute2 net-tools
# Shows: addresses and routes of the host, by netlink; refused changes
. "$(dirname "$0")/lib.sh"

like "$(on i1 ip -4 -o addr 2>&1)" "lo +inet 127.0.0.1/8" "ip addr: loopback"
like "$(on i2 ip -4 -o addr 2>&1)" "inet 10\.[0-9.]+/[0-9]+ brd" "and the network's address"
like "$(on i3 ip route 2>&1)" "^10\.[0-9./]+ dev" "ip route"
like "$(on i4 ip -6 addr 2>&1)" "inet6 fd" "ip -6 addr"
like "$(on i5 ip link set lo down 2>&1)" "not permitted" "nothing can be changed"
like "$(on i6 ip route get 127.0.0.1 2>&1)" "local 127.0.0.1 dev lo" "ip route get"
finish
