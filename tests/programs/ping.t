#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: ping
# Needs: ping
# Packages: iputils-ping
# Shows: IPv4 and IPv6 by name, a large packet, a recorded route (-R), an address that nobody has
# CI: yes
. "$(dirname "$0")/lib.sh"

start_web
like "$(on p1 ping -n -c 2 -i 0.2 web 2>&1)" "2 received, 0% packet loss" "a host by name"
like "$(on p2 ping -6 -n -c 1 web 2>&1)" "1 received, 0% packet loss" "over IPv6"
like "$(on p3 ping -n -c 1 -s 8000 web 2>&1)" "8008 bytes from" "8000 bytes, in fragments"
like "$(on p5 ping -4 -n -R -c 1 web 2>&1 | tr -s "\n\t" "  ")" "RR: 10.77[0-9.]* 10.77[0-9.]* 10.77[0-9.]* 10.77[0-9.]* " "-R: the route, there and back"
like "$(on p4 ping -n -c 1 -W 1 10.77.9.9 2>&1)" "100% packet loss|[Uu]nreachable" "an address that nobody has"
finish
