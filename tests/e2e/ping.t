#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ping(8), unprivileged: echo sockets of our own ICMP.
. "$(dirname "$0")/lib.sh"
need ping

start web "$PYTHON" -c 'import time; time.sleep(300)'
until_true 10 sh -c '"$BERTH" ps --net "$NET" 2>/dev/null | grep -q "^web "'
ok $? "a host runs"
like "$(on asker ping -c 3 -i 0.2 -n web 2>/dev/null)" "3 packets transmitted, 3 received, 0% packet loss" "ping web"
like "$(on asker ping -4 -c 2 -i 0.2 -n web 2>/dev/null)" "64 bytes from 10\.77\." "over IPv4"
like "$(on asker ping -6 -c 2 -i 0.2 -n web 2>/dev/null)" "64 bytes from fd77::" "over IPv6"
like "$(on asker ping -c 1 -n 127.0.0.1 2>/dev/null)" " 0% packet loss" "itself"
like "$(on asker ping -4 -c 1 -n -s 4000 web 2>/dev/null)" "4008 bytes from" "in fragments"
out=$(on asker ping -4 -c 1 -W 1 -n 10.77.200.200 2>/dev/null)
is "$?" 1 "nobody at that address"
like "$out" "100% packet loss" "and ping says so"

timeout 30 "$BERTH" link --net "$NET" set web delay 30ms >out
rtt=$(on asker ping -4 -c 3 -i 0.2 -n web 2>/dev/null | sed -n 's/^64 bytes.*icmp_seq=3.*time=\([0-9.]*\) ms/\1/p')
"$PYTHON" -c "import sys; sys.exit(not float('${rtt:-0}') >= 60)"
ok $? "30 ms each way make a round trip of 60 at least ($rtt ms)"
finish
