#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ss(8) inside a host shows that host's sockets: NETLINK_SOCK_DIAG.
. "$(dirname "$0")/lib.sh"
need ss

cat >server.py <<'END'
import socket, subprocess
S = socket
l = S.create_server(("", 80)); a = S.create_connection(("127.0.0.1", 80)); b = l.accept()[0]
six = S.create_server(("::", 81), family=S.AF_INET6); u = S.socket(S.AF_INET, S.SOCK_DGRAM); u.bind(("127.0.0.1", 53))
v = S.socket(S.AF_INET6, S.SOCK_DGRAM); v.connect(("::1", 99)); r = S.socket(S.AF_INET, S.SOCK_RAW, 1)
def ss(*words):
    print(words[0] + ":", flush=True); subprocess.run(["ss", "-Hn", *words])
ss("-ltn"); ss("-tn", "sport", "=", ":80"); ss("-uan"); ss("-wan"); ss("-tin", "dport", "=", ":80"); ss("-tan", "state", "time-wait")
END
real=$(free_port)
"$PYTHON" -c "import socket, time; s = socket.create_server(('127.0.0.1', $real)); print('ready', flush=True); time.sleep(300)" >real.log &
started+=("$!")
until_true 10 grep -qs ready real.log
out=$(on server "$PYTHON" server.py 2>&1)
part() { sed -n "/^$1:/,/^-/p" <<<"$out" | grep -v '^-'; }
is "$(part -ltn | awk '{ print $1, $4 }' | paste -sd ' ')" "LISTEN 0.0.0.0:80 LISTEN [::]:81" "listeners, of both families, and none of the machine's"
like "$(part -tn)" "^ESTAB +0 +0 +127\.0\.0\.1:80 +127\.0\.0\.1:[0-9]+ *$" "a connection, picked by its port"
is "$(part -tn | wc -l)" 1 "… and no other"
is "$(part -uan | awk '{ print $1 }' | sort | paste -sd ' ')" "ESTAB UNCONN" "UDP sockets, connected and not"
like "$(part -wan)" "^UNCONN .*0\.0\.0\.0:1 " "raw ones"
like "$(part -tin)" "(cubic|reno|bbr).*cwnd:[0-9]" "TCP_INFO with -i"
is "$(part -tan)" "" "nothing in a state that nothing is in"
unlike "$out" ":$real " "the machine's own sockets are not there"
like "$(on server ss -Kn sport = :80 2>&1; echo done)" "done" "ss -K ends nothing, and does not hang"
finish
